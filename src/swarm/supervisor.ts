// Keeps the nodes of a swarm alive: tells each one's state what happens, and does what comes out.
import { TailraceError } from '../core/errors.ts'
import { formatDuration } from '../core/duration.ts'
import { type ExitCode, exitCodes } from '../host/exit-codes.ts'
import type { FromNode } from '../host/node-messages.ts'
import type { SwarmDescription } from '../host/swarm-description.ts'
import type { Cancel, Clock } from '../port/clock.ts'
import type { HealthFrame, NodeFrame } from '../runtime/health-frames.ts'
import type { Log } from '../runtime/log.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import type { NodeListener, NodeProcess } from './node-process.ts'
import { type NodeAction, type NodeInput, NodeState } from './node-state.ts'
import { type RolledNode, Rolls } from './roll.ts'
import type { Publish } from './swarm-events.ts'
import type { NodeStatus, SwarmStatus } from './swarm-status.ts'

export interface SupervisorParts {
  readonly description: SwarmDescription
  readonly clock: Clock
  readonly log: Log
  readonly publish: Publish
  /** Starts the process of a node. */
  readonly start: (place: NodePlace, listener: NodeListener) => NodeProcess
  readonly pid: number
}

interface Node {
  readonly id: number
  readonly state: NodeState
  process: NodeProcess | undefined
  /** Incarnations are numbered, so that nothing of an earlier process is taken for the next. */
  starts: number
  health: HealthFrame | undefined
  web: string | undefined
  unready: string | undefined
  /** It has said that it is well since it was ready last. */
  isProven: boolean
  why: string | undefined
  lastExit: NodeStatus['lastExit']
}

/** Between two looks at all nodes, whatever happens. */
const controlMs = 1_000
/** So late a look is only when the supervisor itself was stopped, or blocked by a hook. */
const sleptMsMin = 2 * controlMs

export class Supervisor {
  readonly #parts: SupervisorParts
  readonly #nodes: readonly Node[]
  readonly #ended: PromiseWithResolvers<ExitCode> = Promise.withResolvers()
  readonly #rolls: Rolls
  #state: SwarmStatus['state'] = 'running'
  #code: ExitCode = exitCodes.stopped
  #controlledMs: number
  /** When it is to look again. */
  #plannedMs: number
  #cancel: Cancel = () => undefined

  constructor(parts: SupervisorParts) {
    this.#parts = parts
    const { clock, description } = parts
    const now = clock.monotonic()
    this.#controlledMs = now
    this.#plannedMs = now
    this.#rolls = new Rolls(parts.log)
    this.#nodes = Array.from({ length: description.nodes }, (_, id) => ({
      id,
      state: new NodeState(description.swarm, now),
      process: undefined,
      starts: 0,
      health: undefined,
      web: undefined,
      unready: undefined,
      isProven: false,
      why: undefined,
      lastExit: undefined
    }))
  }

  /** Starts all nodes at once; resolves when none is left, with the code to exit with. */
  run(): Promise<ExitCode> {
    const { description, publish } = this.#parts
    publish('before-warmup', { app: description.app, nodes: description.nodes })
    this.#control()
    return this.#ended.promise
  }

  status(): SwarmStatus {
    const { clock, description, pid } = this.#parts
    const now = clock.monotonic()
    const nodes = this.#nodes.map((node): NodeStatus => {
      const { health, id, lastExit, process, state, unready, web } = node
      const uptimeMs = process === undefined ? undefined : Math.round(now - state.startedMs)
      const { phase, restarts } = state
      const isReady = state.isReady && unready === undefined
      const ofProcess = { pid: process?.pid, phase, isReady, unready, uptimeMs, restarts }
      return { id, ...ofProcess, web, health, lastExit }
    })
    const controlledMs = now - this.#controlledMs
    const roll = this.#rolls.status
    return { app: description.app, pid, state: this.#state, controlledMs, roll, nodes }
  }

  /** Ends all: warm, or cold when asked so, or a second time. */
  stop({ isCold = false, reason }: { readonly isCold?: boolean; readonly reason: string }): void {
    if (this.#state === 'stopped') return
    const isSecond = this.#state === 'stopping'
    const isColdNow = isCold || isSecond
    if (isColdNow) this.#code = exitCodes.forced
    this.#state = 'stopping'
    this.#parts.log.info({ reason }, `the swarm stops${isColdNow ? ' at once' : ''}: ${reason}`)
    this.#parts.publish('stopping', { reason, isCold: isColdNow })
    this.#rolls.stop('the swarm stops')
    for (const node of this.#nodes) this.#take(node, { kind: 'stop', isCold: isColdNow, reason })
    this.#control()
  }

  /** All finish, fetch no more and stay in the group; nothing is watched or started from now on. */
  quiet(): void {
    if (this.#state !== 'running') return
    this.#state = 'quiet'
    this.#parts.log.info({}, 'the swarm is quiet: nothing new is begun, and nothing started again')
    this.#rolls.stop('the swarm is quiet')
    for (const node of this.#nodes) {
      this.#take(node, { kind: 'quiet' })
      node.process?.tell({ kind: 'quiet' })
    }
    this.#control()
  }

  /** What runs in every node: told by its loop where that runs, and by its keeper anyhow. */
  dump(only?: number): void {
    for (const { id, process } of this.#nodes) {
      if (only !== undefined && only !== id) continue
      process?.tell({ kind: 'dump' })
      process?.requestDump()
    }
  }

  /** Stops one node, and starts it again at once. */
  restart(id: number, reason: string): void {
    const node = this.#nodes[id]
    if (node === undefined) return
    this.#take(node, { kind: 'restart', reason })
    this.#control()
  }

  /** Restarts one after the other, all unless one is named; says why, where it does not. */
  roll(only?: number): string | undefined {
    const refused = this.#rolls.begin(this.#state, only, this.#rolled())
    this.#rollOn()
    return refused
  }

  /** For the end of a supervisor that is broken itself: nothing of it is to be left. */
  killAll(): void {
    for (const { process } of this.#nodes) process?.signal('SIGKILL')
  }

  // Everything that is due, and when to look again.
  #control(): void {
    this.#cancel()
    const { clock, publish } = this.#parts
    for (const node of this.#nodes) this.#take(node, { kind: 'tick' })
    this.#rollOn()
    this.#controlledMs = clock.monotonic()
    const ready = this.#nodes.filter(({ state }) => state.isReady).length
    publish('control', { ready, nodes: this.#nodes.length })
    const isEmpty = this.#nodes.every(({ state }) => state.phase === 'ended')
    // A quiet swarm whose nodes have ended waits for whoever made it quiet to stop it.
    if (isEmpty && this.#state !== 'quiet') {
      this.#state = 'stopped'
      return this.#ended.resolve(this.#code)
    }
    const due = Math.min(...this.#nodes.map(({ state }) => state.dueMs))
    const now = clock.monotonic()
    const waitMs = Math.min(controlMs, Math.max(0, due - now))
    this.#plannedMs = now + waitMs
    this.#cancel = clock.schedule(waitMs, () => this.#control())
  }

  #rollOn(): void {
    this.#rolls.look(this.#rolled(), (id) => {
      const node = this.#nodes[id]
      if (node !== undefined) this.#take(node, { kind: 'restart', reason: 'the swarm rolls' })
    })
  }

  #rolled(): RolledNode[] {
    return this.#nodes.map(({ id, isProven, lastExit, starts, state, unready, why }) => {
      const { failure, isReady: isUp, phase } = state
      const ended = lastExit === undefined ? undefined : `it ended with ${endText(lastExit)}`
      const isReady = isUp && unready === undefined && isProven
      return { id, phase, isUp, isReady, starts, reason: failure?.message ?? why ?? ended }
    })
  }

  #take(node: Node, input: NodeInput): void {
    const now = this.#parts.clock.monotonic()
    // Before anything else is taken, so that only what came before the pause is moved by it.
    const lateMs = Math.round(now - this.#plannedMs)
    if (lateMs > sleptMsMin) {
      this.#plannedMs = now
      this.#parts.log.warn({}, `the supervisor did not run for ${formatDuration(lateMs)}`)
      for (const { state } of this.#nodes) state.take({ kind: 'slept', ms: lateMs }, now)
    }
    const actions = node.state.take(input, now)
    for (const action of actions) this.#do(node, action)
  }

  #do(node: Node, action: NodeAction): void {
    switch (action.kind) {
      case 'start':
        return this.#start(node)
      case 'terminate':
        return this.#terminate(node, action)
      case 'kill':
        return this.#kill(node, action.reason)
      case 'restart-in':
        return this.#restartIn(node, action.delayMs)
      case 'give-up':
        return this.#giveUp(node, action)
    }
  }

  #start(node: Node): void {
    const { description, pid, publish, start } = this.#parts
    const { id } = node
    publish('node.before-start', { node: id, isRestart: node.starts > 0 })
    const incarnation = ++node.starts
    node.health = undefined
    node.web = undefined
    node.unready = undefined
    node.isProven = false
    node.why = undefined
    const ifCurrent = (run: () => void): void => {
      if (node.starts === incarnation) run()
    }
    const place: NodePlace = { id, count: description.nodes, supervisorPid: pid }
    node.process = start(place, {
      onMessage: (message) => ifCurrent(() => this.#hear(node, message)),
      onFrame: (frame) => ifCurrent(() => this.#read(node, frame)),
      onExit: (code, signal) => ifCurrent(() => this.#exited(node, { code, signal }))
    })
    publish('node.started', { node: id, pid: node.process.pid })
  }

  #hear(node: Node, message: FromNode): void {
    if (message.kind === 'failed') return this.#failed(node, message)
    if (message.kind === 'not-ready') {
      node.unready = message.reason
      node.isProven = false
      return
    }
    if (node.unready !== undefined) {
      node.unready = undefined
      return
    }
    node.web = message.web
    this.#take(node, { kind: 'ready' })
    const bootMs = this.#parts.clock.monotonic() - node.state.startedMs
    const pid = node.process?.pid ?? 0
    this.#parts.publish('node.ready', { node: node.id, pid, bootMs })
  }

  // Its output is that of all: another start would only lose it again.
  #failed(node: Node, message: Extract<FromNode, { readonly kind: 'failed' }>): void {
    this.#take(node, message)
    if (message.code !== 'TAILRACE_SWARM_OUTPUT_LOST') return
    if (this.#state === 'stopping' || this.#state === 'stopped') return
    this.#code = exitCodes.crashed
    this.stop({ reason: `node ${node.id}: ${message.message}` })
  }

  #read(node: Node, frame: NodeFrame): void {
    const { log } = this.#parts
    const { loopMs, stack } = frame
    if (frame.kind === 'dump') {
      const { events } = frame
      if (stack.length === 0 && loopMs === 0) return
      const fields = { node: node.id, loopMs, events, stack }
      return log.info(fields, `node ${node.id}: its loop is blocked for ${formatDuration(loopMs)}`)
    }
    node.health = frame
    this.#take(node, { kind: 'report', code: frame.code, reason: frame.reason })
    node.isProven = node.state.isReady && node.unready === undefined
    this.#rollOn()
  }

  #exited(
    node: Node,
    end: { readonly code: number | null; readonly signal: NodeJS.Signals | null }
  ): void {
    const { clock, log, publish } = this.#parts
    const { id, state } = node
    const uptimeMs = Math.round(clock.monotonic() - state.startedMs)
    const pid = node.process?.pid ?? 0
    const reason = node.why ?? state.failure?.message
    node.process = undefined
    node.lastExit = { ...end, reason }
    publish('node.exited', { node: id, pid, ...end, uptimeMs })
    const isExpected = (this.#state === 'stopping' || state.isAsked) && end.code === 0
    const lasted = formatDuration(uptimeMs)
    const text = `node ${id} (pid ${pid}) ended with ${endText(end)} after ${lasted}`
    const fields = { node: id, nodePid: pid, ...end, uptimeMs, ...(reason && { reason }) }
    if (isExpected) log.info(fields, text)
    else log.warn(fields, text)
    if (this.#state === 'stopping') this.#count(end)
    this.#take(node, { kind: 'exited', ...end })
    this.#control()
  }

  // How the nodes stopped is how the swarm did; one that was still starting just ends.
  #count({ code, signal }: { readonly code: number | null; readonly signal: string | null }): void {
    const isForced = code === exitCodes.forced || signal === 'SIGKILL'
    if (isForced) this.#code ||= exitCodes.forced
    else if (code !== null && code !== 0) this.#code ||= exitCodes.crashed
  }

  // By message first, because that works everywhere; a process that cannot hear one yet is ended
  // by what the signal does to it then.
  #terminate(node: Node, action: Extract<NodeAction, { readonly kind: 'terminate' }>): void {
    const { isCold, reason, status } = action
    const { log, publish } = this.#parts
    const pid = node.process?.pid ?? 0
    node.why = status === undefined ? undefined : reason
    publish('node.stopping', { node: node.id, pid, status, reason })
    if (status !== undefined) {
      const { health, id } = node
      const { loopMs, oldest, stack } = { ...health }
      log.error(
        { node: id, nodePid: pid, status, loopMs, oldest, stack },
        `node ${id} (pid ${pid}) is stopped: ${reason}`
      )
    }
    const hasReported = node.health !== undefined
    const isTold = hasReported && node.process?.tell({ kind: 'stop', isCold, reason }) === true
    if (!isTold) node.process?.signal(isCold ? 'SIGQUIT' : 'SIGTERM')
  }

  #kill(node: Node, reason: string): void {
    const { log, publish } = this.#parts
    const pid = node.process?.pid ?? 0
    if (this.#state === 'stopping') this.#code = exitCodes.forced
    publish('node.terminating', { node: node.id, pid, reason })
    log.error({ node: node.id, nodePid: pid }, `node ${node.id} (pid ${pid}) is killed: ${reason}`)
    node.process?.signal('SIGKILL')
  }

  #restartIn(node: Node, delayMs: number): void {
    this.#parts.publish('node.restarting', { node: node.id, delayMs })
    if (delayMs === 0) return
    const when = formatDuration(delayMs)
    this.#parts.log.info({ node: node.id, delayMs }, `node ${node.id} starts again in ${when}`)
  }

  #giveUp(node: Node, action: Extract<NodeAction, { readonly kind: 'give-up' }>): void {
    const reason = `node ${node.id} cannot be kept alive: ${action.reason}`
    const { code, message } = new TailraceError('TAILRACE_SWARM_GAVE_UP', reason)
    this.#parts.log.error({ node: node.id, code }, message)
    this.#code = action.isUsage ? exitCodes.usage : exitCodes.crashed
    if (this.#state === 'running') this.stop({ reason })
  }
}

function endText({
  code,
  signal
}: {
  readonly code: number | null
  readonly signal: string | null
}): string {
  return signal === null ? `code ${code}` : `signal ${signal}`
}
