// One node as its supervisor sees it: time and reports go in, what to do comes out. Pure, so that
// every rule can be tried under a time of the test's own.
import { formatDuration } from '../core/duration.ts'
import { exitCodes, isUsage } from '../host/exit-codes.ts'

export interface NodeTimes {
  readonly bootTimeoutMs: number
  readonly healthTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly restartDelayMs: number
  readonly restartDelayMaxMs: number
  readonly maxRestarts: number
  readonly restartWindowMs: number
}

export type NodeInput =
  | { readonly kind: 'tick' }
  /** From its keeper; 0 is well. */
  | { readonly kind: 'report'; readonly code: number; readonly reason?: string | undefined }
  /** Assigned and restored. */
  | { readonly kind: 'ready' }
  /** It says why it is about to end. */
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
  | {
      readonly kind: 'exited'
      readonly code: number | null
      readonly signal: NodeJS.Signals | null
    }
  /** Nobody looks after it any more: a node that ends stays away. */
  | { readonly kind: 'quiet' }
  | { readonly kind: 'stop'; readonly isCold: boolean; readonly reason: string }
  /** The supervisor itself did not run for so long: what was said meanwhile it could not hear. */
  | { readonly kind: 'slept'; readonly ms: number }
  /** Somebody wants it stopped and started again, at once. */
  | { readonly kind: 'restart'; readonly reason: string }

export type NodeAction =
  | { readonly kind: 'start' }
  /** `status`: the health code for which it is stopped; undefined when it was asked for. */
  | {
      readonly kind: 'terminate'
      readonly status: number | undefined
      readonly reason: string
      readonly isCold: boolean
    }
  | { readonly kind: 'kill'; readonly reason: string }
  | { readonly kind: 'restart-in'; readonly delayMs: number }
  /** The swarm cannot go on with it. */
  | { readonly kind: 'give-up'; readonly reason: string; readonly isUsage: boolean }

export type NodePhase =
  | 'waiting'
  | 'booting'
  | 'running'
  | 'stopping'
  | 'killed'
  /** It is not there, and will not be started again. */
  | 'ended'

/** A node gets all of its own `shutdownTimeout` before the swarm kills it in a stop of all. */
export const stopGraceMs = 15_000
/** A cold stop has nothing to wait for. */
const coldStopMsMax = 10_000
const silent = -1

/** Trying again comes to the same, if it never went well. */
const hopeless: ReadonlySet<string> = new Set([
  'TAILRACE_STATE_FOREIGN',
  'TAILRACE_STATE_LOCKED',
  'TAILRACE_STATE_NETWORK_DISK',
  'TAILRACE_STATE_UNWRITABLE',
  'TAILRACE_TOPOLOGY_INVALID',
  'TAILRACE_TRANSPORT_DUPLICATE_INSTANCE',
  'TAILRACE_TRANSPORT_FOREIGN_GROUP',
  'TAILRACE_TRANSPORT_FORBIDDEN',
  'TAILRACE_TRANSPORT_PARTITIONS',
  'TAILRACE_WEB_ADDRESS',
  'TAILRACE_WEB_PORT_TAKEN'
])

export class NodeState {
  readonly #times: NodeTimes
  #phase: NodePhase = 'waiting'
  /** When the phase has lasted too long, or may end. */
  #dueMs: number
  /** How long it may take to stop, this time. */
  #stopMs = 0
  #startedMs = 0
  #readyMs: number | undefined
  #reportedMs = 0
  #hasBeenReady = false
  /** Ends in a row, since it was last well for long. */
  #crashes = 0
  #restarts: number[] = []
  #isAsked = false
  #isLeftAlone = false
  #failure: Extract<NodeInput, { readonly kind: 'failed' }> | undefined

  constructor(times: NodeTimes, nowMs: number) {
    this.#times = times
    this.#dueMs = nowMs
  }

  get phase(): NodePhase {
    return this.#phase
  }

  /** Assigned and restored, and not on its way out. */
  get isReady(): boolean {
    return this.#phase === 'running' && this.#readyMs !== undefined
  }

  /** Its end is what somebody asked for, to start it again. */
  get isAsked(): boolean {
    return this.#isAsked
  }

  /** Starts after the first that nobody asked for, within the window. */
  get restarts(): number {
    return this.#restarts.length
  }

  /** When it started; meaningless before. */
  get startedMs(): number {
    return this.#startedMs
  }

  /** Why the process of now said that it ends. */
  get failure(): { readonly code: string | undefined; readonly message: string } | undefined {
    return this.#failure
  }

  /** When a tick is due; infinite where nothing is awaited. */
  get dueMs(): number {
    switch (this.#phase) {
      case 'waiting':
      case 'stopping':
        return this.#dueMs
      case 'booting':
        return this.#isLeftAlone ? Infinity : this.#dueMs
      case 'running':
        return this.#isLeftAlone ? Infinity : this.#reportedMs + this.#times.healthTimeoutMs
      case 'killed':
      case 'ended':
        return Infinity
    }
  }

  take(input: NodeInput, nowMs: number): readonly NodeAction[] {
    switch (input.kind) {
      case 'tick':
        return this.#tick(nowMs)
      case 'report':
        return this.#report(input.code, input.reason, nowMs)
      case 'ready':
        this.#hasBeenReady = true
        this.#readyMs = nowMs
        return []
      case 'failed':
        this.#failure = input
        return []
      case 'exited':
        return this.#exited(input, nowMs)
      case 'quiet':
        return this.#leaveAlone()
      case 'stop':
        return this.#stop(input, nowMs)
      case 'slept':
        return this.#forgive(input.ms)
      case 'restart':
        return this.#restart(input.reason, nowMs)
    }
  }

  #tick(nowMs: number): readonly NodeAction[] {
    if (nowMs < this.dueMs) return []
    const { bootTimeoutMs, healthTimeoutMs } = this.#times
    switch (this.#phase) {
      case 'waiting':
        return this.#start(nowMs)
      case 'booting':
        return this.#terminate(nowMs, {
          status: silent,
          reason: `it has not reported within bootTimeout, ${formatDuration(bootTimeoutMs)}`
        })
      case 'running':
        return this.#terminate(nowMs, {
          status: silent,
          reason: `it has not reported for ${formatDuration(healthTimeoutMs)}`
        })
      case 'stopping':
        this.#phase = 'killed'
        return [
          { kind: 'kill', reason: `it has not stopped within ${formatDuration(this.#stopMs)}` }
        ]
      case 'killed':
      case 'ended':
        return []
    }
  }

  #start(nowMs: number): readonly NodeAction[] {
    this.#phase = 'booting'
    this.#startedMs = nowMs
    this.#readyMs = undefined
    this.#failure = undefined
    this.#isAsked = false
    this.#dueMs = nowMs + this.#times.bootTimeoutMs
    return [{ kind: 'start' }]
  }

  // One bad report is final: whether it was only a moment is for the limits of the node to judge.
  #report(code: number, reason: string | undefined, nowMs: number): readonly NodeAction[] {
    if (this.#phase !== 'booting' && this.#phase !== 'running') return []
    this.#phase = 'running'
    this.#reportedMs = nowMs
    if (code === 0 || this.#isLeftAlone) return []
    return this.#terminate(nowMs, { status: code, reason: reason ?? `it says code ${code}` })
  }

  #terminate(
    nowMs: number,
    why: {
      readonly status: number | undefined
      readonly reason: string
      readonly isCold?: boolean
      readonly graceMs?: number
    }
  ): readonly NodeAction[] {
    const { graceMs = 0, isCold = false, reason, status } = why
    this.#phase = 'stopping'
    const { shutdownTimeoutMs } = this.#times
    this.#stopMs = isCold ? Math.min(coldStopMsMax, shutdownTimeoutMs) : shutdownTimeoutMs + graceMs
    this.#dueMs = nowMs + this.#stopMs
    return [{ kind: 'terminate', status, reason, isCold }]
  }

  #exited(
    { code }: Extract<NodeInput, { readonly kind: 'exited' }>,
    nowMs: number
  ): readonly NodeAction[] {
    const { maxRestarts, restartDelayMaxMs, restartDelayMs, restartWindowMs } = this.#times
    if (this.#isLeftAlone) {
      this.#phase = 'ended'
      return []
    }
    if (!this.#hasBeenReady && this.#isHopeless(code)) {
      this.#phase = 'ended'
      const why = this.#failure?.message ?? `it was used wrongly (code ${code})`
      const isWrong = code === exitCodes.usage || isUsage(this.#failure?.code ?? '')
      return [{ kind: 'give-up', reason: why, isUsage: isWrong }]
    }
    this.#phase = 'waiting'
    if (this.#isAsked) {
      this.#dueMs = nowMs
      return [{ kind: 'restart-in', delayMs: 0 }]
    }
    const isStable = this.#readyMs !== undefined && nowMs - this.#readyMs >= restartDelayMaxMs
    if (isStable) this.#crashes = 0
    this.#restarts = this.#restarts.filter((at) => at > nowMs - restartWindowMs)
    // One that takes long to end never has so many within the window, and would go on for ever.
    const isFast = this.#restarts.length >= maxRestarts
    if (isFast || this.#crashes >= maxRestarts) {
      this.#phase = 'ended'
      const times = isFast ? this.#restarts.length : this.#crashes
      const within = isFast
        ? `within ${formatDuration(restartWindowMs)}`
        : `in a row, never ready for ${formatDuration(restartDelayMaxMs)}`
      const reason =
        `it ended again after ${times} ${times === 1 ? 'restart' : 'restarts'} ${within}` +
        (this.#failure === undefined ? '' : `: ${this.#failure.message}`)
      return [{ kind: 'give-up', reason, isUsage: false }]
    }
    this.#restarts.push(nowMs)
    const delayMs = Math.min(restartDelayMs * 2 ** this.#crashes, restartDelayMaxMs)
    this.#crashes++
    this.#dueMs = nowMs + delayMs
    return [{ kind: 'restart-in', delayMs }]
  }

  // What paused the supervisor may have paused the node as well: it gets all of its time.
  #forgive(ms: number): readonly NodeAction[] {
    this.#reportedMs += ms
    if (this.#phase !== 'waiting') this.#dueMs += ms
    return []
  }

  #isHopeless(code: number | null): boolean {
    const failed = this.#failure?.code ?? ''
    return code === exitCodes.usage || hopeless.has(failed) || isUsage(failed)
  }

  #leaveAlone(): readonly NodeAction[] {
    this.#isLeftAlone = true
    if (this.#phase === 'waiting') this.#phase = 'ended'
    return []
  }

  #stop(
    { isCold, reason }: Extract<NodeInput, { readonly kind: 'stop' }>,
    nowMs: number
  ): readonly NodeAction[] {
    const isStopping = this.#phase === 'stopping'
    this.#leaveAlone()
    if (this.#phase === 'ended' || this.#phase === 'killed') return []
    // It stops already, for whatever reason: its time runs, and only a cold stop is shorter.
    if (isStopping && !isCold) return []
    return this.#terminate(nowMs, { status: undefined, reason, isCold, graceMs: stopGraceMs })
  }

  #restart(reason: string, nowMs: number): readonly NodeAction[] {
    if (this.#isLeftAlone) return []
    if (this.#phase === 'waiting') {
      this.#dueMs = nowMs
      return []
    }
    if (this.#phase !== 'booting' && this.#phase !== 'running') return []
    this.#isAsked = true
    return this.#terminate(nowMs, { status: undefined, reason })
  }
}
