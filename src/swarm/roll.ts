// A rolling restart: one node after the other, each when the one before it is ready again. `Roll`
// is pure: it looks at the nodes, and says what is next.
import type { Log } from '../runtime/log.ts'
import type { NodePhase } from './node-state.ts'

/** A node as a roll sees it. */
export interface RolledNode {
  readonly id: number
  readonly phase: NodePhase
  /** It was assigned and restored, and is not on its way out. */
  readonly isUp: boolean
  /** It is so now, and has said since that it is well. */
  readonly isReady: boolean
  /** Processes it had so far, with the one it has. */
  readonly starts: number
  /** Why it is on its way out, or gone. */
  readonly reason: string | undefined
}

export type RollStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'restart'; readonly id: number }
  /** Each was started anew, and is ready. */
  | { readonly kind: 'done' }
  /** What runs goes on running; nothing more is restarted. */
  | { readonly kind: 'fail'; readonly reason: string }

/** As the supervisor shows it, also when it is over. */
export interface RollStatus {
  readonly state: 'rolling' | 'done' | 'failed' | 'ended'
  /** Nodes in the order in which they are restarted. */
  readonly nodes: readonly number[]
  /** Those that are ready again. */
  readonly done: readonly number[]
  /** Undefined unless it failed, or something else ended it. */
  readonly reason: string | undefined
}

const wait: RollStep = { kind: 'wait' }

export class Roll {
  readonly #nodes: readonly number[]
  readonly #starts: ReadonlyMap<number, number>
  #done = 0
  #isAsked = false
  #end: Pick<RollStatus, 'state' | 'reason'> | undefined

  /** `nodes`: which, in order; `now`: all there are. */
  constructor(nodes: readonly number[], now: readonly RolledNode[]) {
    this.#nodes = nodes
    this.#starts = new Map(now.map(({ id, starts }) => [id, starts]))
  }

  get status(): RollStatus {
    const nodes = this.#nodes
    const { reason, state } = this.#end ?? { state: 'rolling', reason: undefined }
    return { state, nodes, done: nodes.slice(0, this.#done), reason }
  }

  /** What is to be done now; a step that is not `wait` is said once. */
  look(now: readonly RolledNode[]): RollStep {
    if (this.#end !== undefined) return wait
    const current = this.#nodes[this.#done] ?? -1
    for (const node of now) {
      const reason = this.#wrong(node, current)
      if (reason !== undefined) return this.#fail(reason)
    }
    // What a node leaves behind is restored by others: they are waited for as well.
    if (!now.every(({ isReady }) => isReady)) return wait
    if (!this.#isAsked) return this.#restart(current)
    const node = now.find(({ id }) => id === current)
    if (node?.starts === this.#starts.get(current)) return wait
    this.#done++
    const next = this.#nodes[this.#done]
    if (next !== undefined) return this.#restart(next)
    this.#end = { state: 'done', reason: undefined }
    return { kind: 'done' }
  }

  /** Something else has become of the swarm. */
  stop(reason: string): void {
    this.#end ??= { state: 'ended', reason }
  }

  #restart(id: number): RollStep {
    this.#isAsked = true
    return { kind: 'restart', id }
  }

  #fail(reason: string): RollStep {
    this.#end = { state: 'failed', reason }
    return { kind: 'fail', reason }
  }

  // One node at a time is down: any other that is, is one too many, whatever the reason.
  #wrong({ id, isUp, phase, reason, starts }: RolledNode, current: number): string | undefined {
    const since = starts - (this.#starts.get(id) ?? 0)
    const why = reason === undefined ? '' : `: ${reason}`
    if (id === current && this.#isAsked) {
      const isGone = phase !== 'booting' && phase !== 'running'
      const isAgain = since > 1 || (since === 1 && isGone)
      return isAgain ? `node ${id} did not come back${why}` : undefined
    }
    const wanted = this.#nodes.slice(0, this.#done).includes(id) ? 1 : 0
    if (isUp && since === wanted) return undefined
    return `node ${id} went down as well, and only one may be${why}`
  }
}

/** The roll of now, or the last one. */
export class Rolls {
  readonly #log: Log
  #roll: Roll | undefined

  constructor(log: Log) {
    this.#log = log
  }

  get status(): RollStatus | undefined {
    return this.#roll?.status
  }

  /** Says why not, where it cannot begin. */
  begin(state: string, only: number | undefined, now: readonly RolledNode[]): string | undefined {
    const refused = this.#refusal(state, now)
    if (refused !== undefined) {
      this.#log.warn({}, `nothing is rolled: ${refused}`)
      return refused
    }
    const ids = now.map(({ id }) => id).filter((id) => only === undefined || id === only)
    this.#log.info({}, `the swarm rolls: node ${ids.join(', then ')}`)
    this.#roll = new Roll(ids, now)
    return undefined
  }

  /** Restarts the next one if it is its turn. */
  look(now: readonly RolledNode[], restart: (id: number) => void): void {
    const step = this.#roll?.look(now)
    switch (step?.kind) {
      case undefined:
      case 'wait':
        return
      case 'restart':
        return restart(step.id)
      case 'done':
        return this.#log.info({}, 'the roll is over: each node was started anew, and is ready')
      case 'fail':
        return this.#log.error({}, `the roll stops, and the other nodes go on: ${step.reason}`)
    }
  }

  stop(reason: string): void {
    if (this.#roll?.status.state !== 'rolling') return
    this.#roll.stop(reason)
    this.#log.warn({}, `the roll ends: ${reason}`)
  }

  #refusal(state: string, now: readonly RolledNode[]): string | undefined {
    if (state !== 'running') return `the swarm is ${state}`
    if (this.#roll?.status.state === 'rolling') return 'the swarm rolls already'
    const waiting = now.filter(({ isUp }) => !isUp).map(({ id }) => `node ${id}`)
    if (waiting.length === 0) return undefined
    const are = waiting.length === 1 ? 'is' : 'are'
    return `${waiting.join(' and ')} ${are} not ready, and only one may be down`
  }
}
