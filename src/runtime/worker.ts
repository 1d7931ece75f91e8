// Control plane. One worker: what it is made of, the order in which that starts, and its reverse.
import type { TableDeclaration, TopicDeclaration } from '../core/declarations.ts'
import type {
  Answer,
  Engine,
  Metadata,
  QueryRange,
  Scan,
  ScanOptions,
  UnsentRecord
} from '../core/engine.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import { type Cancel, pause } from '../port/clock.ts'
import { failpoint } from '../port/failpoint.ts'
import type { OwnedTask } from '../port/coordinator.ts'
import { aborted } from './aborted.ts'
import { Background } from './background.ts'
import { BrokerWatch } from './broker-watch.ts'
import { heapPercent } from './heap-share.ts'
import { newCounters } from './monitor.ts'
import { PlainSender } from './plain-sender.ts'
import type { Queries } from './queries.ts'
import { StartQuestions } from './start-questions.ts'
import {
  dumpText,
  taskStatus,
  unreadyReason,
  type WorkerState,
  type WorkerStatus
} from './status.ts'
import { buildRunning, type Running, type WorkerParts } from './worker-build.ts'

export type { WorkerParts } from './worker-build.ts'
export type { TaskStatus, WorkerStatus } from './status.ts'

export interface StopOptions {
  readonly reason: string
  /** Drops open events instead of letting them finish, and commits nothing more. */
  readonly isCold?: boolean
}

const tickMs = 250
/** A longer silence was not work on an event: the process slept, or the keeper has seen it. */
const tickGapMsMax = 4 * tickMs
/** Timers and tasks get this much of a stop; events come first. */
const backgroundStopMs = 2_000

export class WorkerRuntime implements Engine {
  readonly memberId: string
  readonly #parts: WorkerParts
  readonly #counters = newCounters()
  readonly #sender: PlainSender
  readonly #everywhere: Background
  readonly #leading: Background
  readonly #ended: PromiseWithResolvers<unknown> = Promise.withResolvers()
  readonly #brokerWatch: BrokerWatch
  readonly #questions: StartQuestions
  readonly #startEnd: AbortController = new AbortController()
  #running: Running | undefined
  #state: WorkerState = 'starting'
  #leader: OwnedTask | undefined
  #tickedMs: number
  #cancelTick: Cancel = () => undefined
  #isQuiet = false
  #stopping: Promise<void> | undefined
  #coldStop = new AbortController()
  #isColdAsked = false
  /** What went wrong after a stop had begun. */
  #stopFailure: { readonly error: unknown } | undefined

  constructor(parts: WorkerParts) {
    this.#parts = parts
    const { clock, instanceId, log, random, settings, topology, transport } = parts
    const { recordBytesMax } = settings
    this.#tickedMs = clock.monotonic()
    this.#brokerWatch = new BrokerWatch(clock)
    this.#questions = new StartQuestions({
      clock,
      log,
      watch: this.#brokerWatch,
      limitMs: settings.brokerTimeoutMs,
      signal: this.#startEnd.signal
    })
    this.memberId = `${instanceId}-${Math.floor(random() * 0x1_0000_0000).toString(36)}`
    this.#sender = new PlainSender({ transport, clock, recordBytesMax })
    const onFatal = (error: unknown): void => this.#fail(error)
    const background = { declarations: topology.declarations, clock, log, onFatal }
    this.#everywhere = new Background(background, false)
    this.#leading = new Background(background, true)
  }

  /** Settles when the worker has ended: with undefined after a stop, else with what ended it. */
  get ended(): Promise<unknown> {
    return this.#ended.promise
  }

  /** Resolves when the worker has joined its group, and recovered what it was given first. */
  async start(): Promise<void> {
    try {
      const running = await this.#build()
      this.#running = running
      if (this.#isQuiet) running.dispatcher.quiet()
      await running.cleanup.start()
      await this.#questions.ask('no transaction can be begun', () => running.commits.start())
      await this.#unlessStopped()
      running.intake.start()
      if (this.#isQuiet) running.intake.quiet()
      // From here on how long a log is away is what the tick sees.
      this.#tick(running)
      failpoint('keeper.starting')
      await running.keeper.start()
      running.pulse.watch(this.#parts.settings.stallTimeoutMs)
      await this.#firstAnswer()
      await running.tasks.settled()
      await this.#unlessStopped()
      this.#state = 'running'
      if (this.#isQuiet) return
      this.#everywhere.start()
      if (this.#leader !== undefined) this.#leading.start()
    } catch (error) {
      if (this.#stopping === undefined) this.#fail(error)
      throw (await this.ended) ?? error
    }
  }

  async #build(): Promise<Running> {
    const running = await buildRunning(this.#parts, {
      memberId: this.memberId,
      brokerWatch: this.#brokerWatch,
      questions: this.#questions,
      counters: this.#counters,
      onFatal: (error) => this.#fail(error),
      onLeader: (owned) => this.#lead(owned),
      onAnswer: () => this.#answered.resolve()
    })
    await this.#unlessStopped()
    return running
  }

  // Whoever stops a worker does not see what its start makes afterwards.
  async #unlessStopped(): Promise<void> {
    if (this.#stopping !== undefined) throw await this.ended
  }

  readonly #answered: PromiseWithResolvers<void> = Promise.withResolvers()

  async #firstAnswer(): Promise<void> {
    const failed = await Promise.race([this.#answered.promise, this.ended])
    if (failed !== undefined) throw failed
  }

  // Tells the keeper that the loop lives, and looks for events that take too long.
  #tick(running: Running): void {
    const { clock } = this.#parts
    const now = clock.monotonic()
    running.pulse.tick(now)
    if (this.#parts.health !== undefined) this.#tellPulse(running)
    running.dispatcher.refresh()
    const gone = this.#brokerWatch.beyond(this.#parts.settings.brokerTimeoutMs)
    if (gone !== undefined) this.#fail(gone)
    const passedMs = Math.min(now - this.#tickedMs, tickGapMsMax)
    this.#tickedMs = now
    for (const { run } of running.tasks.tasks) run.look(passedMs)
    // A stop has its own limit for the events it waits for.
    if (this.#stopping === undefined) this.#endStalled(running)
    this.#cancelTick = clock.schedule(tickMs, () => this.#tick(running))
  }

  // What the supervisor of a swarm judges by.
  #tellPulse({ pulse, tasks }: Running): void {
    const restoring = tasks.tasks.filter((task) => task.state === 'restoring')
    pulse.tell({
      isPolling: this.#state === 'running' && !this.#isQuiet,
      restoring: restoring.length,
      restored: restoring.reduce(
        (sum, { progress }) => sum + (progress?.records ?? 0),
        this.#counters.restoredRecords
      ),
      heapPercent: heapPercent()
    })
  }

  #endStalled({ tasks }: Running): void {
    const { stallTimeoutMs } = this.#parts.settings
    for (const { run } of tasks.tasks) {
      const event = run.openEvents.find(
        ({ ageMs, isWaiting }) => !isWaiting && ageMs >= stallTimeoutMs
      )
      if (event === undefined) continue
      this.#fail(
        new TailraceError(
          'TAILRACE_AGENT_STALLED',
          `agent "${event.agent}" has worked on "${event.topic}" partition ${event.partition} ` +
            `offset ${event.offset} for longer than stallTimeout (${stallTimeoutMs} ms)`
        )
      )
      return
    }
  }

  #lead(owned: OwnedTask | undefined): void {
    const wasLeader = this.#leader !== undefined
    this.#leader = owned
    const { log } = this.#parts
    if (wasLeader) this.#leading.stop(backgroundStopMs).catch((error: unknown) => this.#fail(error))
    if (owned === undefined) return
    log.info({ epoch: owned.epoch }, 'this worker leads now')
    if (this.#state === 'running' && !this.#isQuiet) this.#leading.start()
  }

  #fail(error: unknown): void {
    if (this.#state === 'stopped' || this.#state === 'failed') return
    const isFirst = this.#stopping === undefined
    this.#state = 'failed'
    this.#parts.log.error({ err: error }, `the worker ends: ${messageOf(error)}`)
    this.#coldStop.abort()
    if (isFirst) this.#stopping = this.#shutDown()
    else this.#stopFailure = { error }
    const end = (): void => this.#ended.resolve(error)
    this.#stopping?.then(end, end)
  }

  /**
   * Begins nothing new: open events finish and are committed, nothing more is fetched, timers and
   * tasks end. It stays in its group and keeps what it owns, so nothing moves.
   */
  quiet(): void {
    if (this.#isQuiet) return
    this.#isQuiet = true
    this.#parts.log.info({}, 'the worker is quiet: it finishes what is open, and fetches no more')
    this.#running?.dispatcher.quiet()
    this.#running?.intake.quiet()
    for (const background of [this.#leading, this.#everywhere]) {
      background.stop(backgroundStopMs).catch((error: unknown) => this.#fail(error))
    }
  }

  /**
   * Warm: finishes open events, commits, leaves. Cold, or a second call that is: drops them.
   * Rejects when a warm stop could not be one.
   */
  async stop(options: StopOptions): Promise<void> {
    if (options.isCold === true) {
      this.#isColdAsked = true
      this.#coldStop.abort()
    }
    if (this.#stopping === undefined) {
      this.#parts.log.info({ reason: options.reason }, 'the worker stops')
      this.#state = 'stopping'
      this.#stopping = this.#shutDown()
    }
    await this.#stopping
    if (this.#state === 'stopping') this.#state = 'stopped'
    const failure = this.#isColdAsked ? undefined : this.#stopFailure
    this.#ended.resolve(failure?.error)
    if (failure !== undefined) throw failure.error
  }

  // The reverse of the start. Every step has its own limit, or needs none.
  async #shutDown(): Promise<void> {
    const running = this.#running
    this.#startEnd.abort()
    const { shutdownTimeoutMs, stallTimeoutMs } = this.#parts.settings
    // A loop that is blocked now would neither see its deadline nor another signal.
    running?.pulse.watch(Math.min(shutdownTimeoutMs, stallTimeoutMs))
    running?.dispatcher.quiet()
    const background = Promise.all([
      this.#leading.stop(backgroundStopMs),
      this.#everywhere.stop(backgroundStopMs)
    ])
    await Promise.race([background, aborted(this.#coldStop.signal)])
    if (running !== undefined) await this.#stopRunning(running)
    await this.#closeSender()
  }

  // What was sent outside of events is seen through, unless the log takes too long for it.
  async #closeSender(): Promise<void> {
    const { clock, settings } = this.#parts
    const isCold = this.#coldStop.signal.aborted
    const over = new AbortController()
    const limits = [
      pause(clock, isCold ? backgroundStopMs : settings.shutdownTimeoutMs, over.signal),
      ...(isCold ? [] : [aborted(this.#coldStop.signal)])
    ]
    await Promise.race([this.#sender.close().catch(() => undefined), ...limits])
    over.abort()
  }

  async #stopRunning(running: Running): Promise<void> {
    const { commits, intake, keeper, tasks } = running
    const cold = this.#coldStop.signal
    if (!cold.aborted) {
      const warm = tasks
        .drainAll(this.#parts.settings.shutdownTimeoutMs)
        .then(() => commits.commit())
        .catch((error: unknown) => this.#fail(error))
      await Promise.race([warm, aborted(cold)])
    }
    tasks.dropAll()
    const steps = [
      () => commits.stop({ isCold: cold.aborted }),
      () => intake.stop(),
      () => keeper.leave(),
      () => Promise.resolve(running.cleanup.stop())
    ]
    for (const step of steps) {
      await step().catch((error: unknown) => {
        this.#parts.log.warn({ err: error }, `a step of the stop failed: ${messageOf(error)}`)
      })
    }
    running.pulse.watch(0)
    this.#cancelTick()
  }

  /** Why it is not ready; undefined when it is. Cheaper than a whole status. */
  get unreadyReason(): string | undefined {
    const ownReason = unreadyReason(this.#state, this.#running?.tasks ?? noTasks)
    const isJoining = this.#state === 'starting' && this.#running?.tasks.hasAnswer !== true
    const { reason } = this.#brokerWatch
    return isJoining ? (reason ?? ownReason) : (ownReason ?? reason)
  }

  status(): WorkerStatus {
    const tasks = this.#running?.tasks.tasks ?? []
    const reason = this.unreadyReason
    return {
      state: this.#state,
      node: this.#parts.node,
      isQuiet: this.#isQuiet,
      isReady: reason === undefined,
      reason,
      memberId: this.memberId,
      generation: this.#running?.tasks.view.generation ?? 0,
      isLeader: this.isLeader,
      leaderEpoch: this.leaderEpoch,
      tasks: tasks.map((task) => taskStatus(task)),
      cacheBytes: this.#running?.budget.bytes ?? 0,
      background: [...this.#everywhere.status(), ...this.#leading.status()],
      counters: { ...this.#counters }
    }
  }

  dump(): string {
    return dumpText(this.status())
  }

  get isLeader(): boolean {
    return this.#leader !== undefined
  }

  get leaderEpoch(): number | undefined {
    return this.#leader?.epoch
  }

  send(topic: TopicDeclaration, record: UnsentRecord): Promise<Metadata> {
    return this.#sender.send(topic, record)
  }

  async query(table: TableDeclaration, key: unknown, range: QueryRange): Promise<Answer<unknown>> {
    return this.#queries(table).query(table, key, range)
  }

  scan(table: TableDeclaration, options: ScanOptions): Scan<unknown> {
    return this.#queries(table).scan(table, options)
  }

  #queries(table: TableDeclaration): Queries {
    if (this.#running !== undefined) return this.#running.queries
    throw new TailraceError(
      'TAILRACE_TABLE_NOT_READY',
      `table "${table.name}" was asked before the worker had started`
    )
  }
}

const noTasks = { hasAnswer: false, isSuspended: false, tasks: [] }
