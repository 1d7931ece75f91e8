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
import { taskSpecs, topologyHash } from '../core/topology-partitions.ts'
import type { Topology } from '../core/topology.ts'
import type { Cancel, Clock } from '../port/clock.ts'
import type { Store } from '../port/store.ts'
import type { JoinRequest, OwnedTask, Transport } from '../port/transport.ts'
import { Background } from './background.ts'
import { CacheBudget } from './cache.ts'
import { CommitLoop } from './commit-loop.ts'
import { Dispatcher } from './dispatcher.ts'
import { Intake } from './intake.ts'
import { inlineKeeper, type Keeper, type KeeperParts, ThreadKeeper } from './keeper.ts'
import type { Log } from './log.ts'
import { newCounters } from './monitor.ts'
import { Spreader } from './outgoing.ts'
import { PlainSender } from './plain-sender.ts'
import { type PreparedTopics, prepareTopics } from './prepare.ts'
import { Pulse } from './pulse.ts'
import { Queries } from './queries.ts'
import type { WorkerSettings } from './settings.ts'
import { StateCleanup } from './state-cleanup.ts'
import {
  dumpText,
  taskStatus,
  unreadyReason,
  type WorkerState,
  type WorkerStatus
} from './status.ts'
import { lostPosition } from './task-opening.ts'
import { TaskSet } from './task-set.ts'
import { Upkeep } from './upkeep.ts'

export type { TaskStatus, WorkerStatus } from './status.ts'

export interface WorkerParts {
  readonly topology: Topology
  /** Opened and closed by whoever made it; so is the store. */
  readonly transport: Transport
  readonly store: Store
  readonly clock: Clock
  readonly random: () => number
  readonly settings: WorkerSettings
  readonly log: Log
  /** Second half of the transactional id: the same at every start from one data directory. */
  readonly instanceId: string
  /** Address of the worker's web server, told to the group. */
  readonly url: string | undefined
  /** A thread of its own, or this loop where the log lives in this process. */
  readonly keeper: 'thread' | 'inline'
}

export interface StopOptions {
  readonly reason: string
  /** Drops open events instead of letting them finish, and commits nothing more. */
  readonly isCold?: boolean
}

/** Everything that exists once the topics are known. */
interface Running {
  readonly topics: PreparedTopics
  readonly tasks: TaskSet
  readonly intake: Intake
  readonly dispatcher: Dispatcher
  readonly commits: CommitLoop
  readonly cleanup: StateCleanup
  readonly queries: Queries
  readonly keeper: Keeper
  readonly pulse: Pulse
}

const tickMs = 250
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
  #running: Running | undefined
  #state: WorkerState = 'starting'
  #leader: OwnedTask | undefined
  #cancelTick: Cancel = () => undefined
  #stopping: Promise<void> | undefined
  #coldStop = new AbortController()

  constructor(parts: WorkerParts) {
    this.#parts = parts
    const { clock, instanceId, log, random, settings, topology, transport } = parts
    const { recordBytesMax } = settings
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
      await running.cleanup.start()
      await running.commits.start()
      running.intake.start()
      await running.keeper.start()
      this.#tick()
      running.pulse.count(true)
      await this.#firstAnswer()
      await running.tasks.settled()
      if (this.#state !== 'starting') throw await this.ended
      this.#state = 'running'
      this.#everywhere.start()
      if (this.#leader !== undefined) this.#leading.start()
    } catch (error) {
      this.#fail(error)
      await this.ended
      throw error
    }
  }

  async #build(): Promise<Running> {
    const { clock, log, random, settings, store, topology, transport } = this.#parts
    const topics = await prepareTopics(topology, transport)
    const { declarations, subTopologies } = topology
    const pulse = new Pulse(declarations.topics.map((topic) => topic.name))
    const budget = new CacheBudget(settings.cacheBytesMax)
    const group = topology.app
    const onFatal = (error: unknown): void => this.#fail(error)
    const dispatcher: Dispatcher = new Dispatcher({
      clock,
      log,
      random,
      counters: this.#counters,
      pulse,
      taskIdleMs: settings.taskIdleMs,
      futureLimitMs: settings.futureLimitMs,
      onError: declarations.onError,
      deadLetter: declarations.deadLetter,
      partitionsOf: topics.partitionsOf,
      onFatal,
      isPressed: () => pressed(),
      onPressure: () => commits.request(),
      onShortened: (task) => intake.relieve(task)
    })
    const intake = new Intake({
      fetcher: await transport.fetcher(),
      clock,
      fetchBytesMax: settings.fetchBytesMax,
      queueBytesMax: settings.queueBytesMax,
      queueRecordsMax: settings.queueRecordsMax,
      kick: (task) => dispatcher.kick(task),
      onOutOfRange: (queue, { outOfRange }) => {
        const range = { ...queue, start: 0, end: 0, ...outOfRange, leaderEpoch: 0 }
        try {
          return lostPosition(queue.fetchPosition, range, { settings, host: dispatcher })
        } catch (error) {
          onFatal(error)
          return queue.fetchPosition
        }
      },
      onError: (error) => log.warn({ err: error }, `a fetch failed: ${messageOf(error)}`)
    })
    const cleanup = new StateCleanup({ store, clock, log, afterMs: settings.stateCleanupMs })
    const opening = {
      app: group,
      transport,
      store,
      settings,
      topics,
      budget,
      spreader: new Spreader(),
      host: dispatcher
    }
    const tasks: TaskSet = new TaskSet({
      group,
      subTopologies: new Map(subTopologies.map((sub) => [sub.name, sub])),
      opening,
      dispatcher,
      intake,
      cleanup,
      clock,
      drainTimeoutMs: settings.drainTimeoutMs,
      commit: () => commits.commit(),
      quiesce: () => commits.quiesce(),
      release: (ids) => keeper.release(ids),
      onLeader: (owned) => this.#lead(owned),
      onFatal
    })
    const groupTopics = declarations.groups.map((one) => one.topic.name)
    const commits: CommitLoop = new CommitLoop({
      group,
      memberId: this.memberId,
      store,
      counters: this.#counters,
      topicIdOf: topics.idOf,
      transport,
      transactionalId: `${group}-${this.#parts.instanceId}`,
      clock,
      intervalMs: settings.commitIntervalMs,
      timeoutMs: settings.commitTimeoutMs,
      dispatcher,
      intake,
      tasks: () => tasks,
      upkeep: new Upkeep({
        store,
        admin: transport.admin(),
        clock,
        log,
        budget,
        repartitions: new Set(groupTopics)
      }),
      onFatal
    })
    const { transactionBytesMax } = transport.features
    const pressed = (): boolean => {
      let bytes = commits.sender?.pendingBytes ?? 0
      for (const { shards } of tasks.tasks) for (const shard of shards) bytes += shard.dirtyBytes
      return bytes > transactionBytesMax || budget.isPressed
    }
    const keeper: Keeper = await this.#makeKeeper(topics, tasks, pulse)
    const queries = new Queries({
      subTopologies,
      partitionsOf: (sub) => topics.plan.bySubTopology.get(sub) ?? 1,
      tasks
    })
    return { topics, tasks, intake, dispatcher, commits, cleanup, queries, keeper, pulse }
  }

  async #makeKeeper(topics: PreparedTopics, tasks: TaskSet, pulse: Pulse): Promise<Keeper> {
    const { clock, log, settings, topology, transport } = this.#parts
    const specs = taskSpecs(topology, topics.plan)
    const request: JoinRequest = {
      group: topology.app,
      memberId: this.memberId,
      topologyHash: topologyHash(specs),
      tasks: specs,
      sessionTimeoutMs: transport.features.sessionTimeoutMs,
      heartbeatMs: transport.features.heartbeatMs,
      url: this.#parts.url
    }
    const parts: KeeperParts = {
      request,
      onAnswer: (answer) => {
        tasks.apply(answer)
        this.#answered.resolve()
      },
      onError: (error) => log.warn({ err: error }, `a heartbeat failed: ${messageOf(error)}`),
      onDeath: (error) => this.#fail(error)
    }
    const { door } = transport
    if (this.#parts.keeper === 'inline' || door === undefined) {
      return inlineKeeper(parts, transport, clock)
    }
    const { stallTimeoutMs } = settings
    return new ThreadKeeper(parts, { door, pulse, stallTimeoutMs })
  }

  readonly #answered: PromiseWithResolvers<void> = Promise.withResolvers()

  async #firstAnswer(): Promise<void> {
    const failed = await Promise.race([this.#answered.promise, this.ended])
    if (failed !== undefined) throw failed
  }

  // Tells the keeper that the loop lives, and looks for events that take too long.
  #tick(): void {
    const { clock, settings } = this.#parts
    const now = clock.monotonic()
    this.#running?.pulse.tick(now)
    for (const { run } of this.#running?.tasks.tasks ?? []) {
      const event = run.openEvent
      if (event === undefined || event.isWaiting) continue
      if (now - event.openedAtMs < settings.stallTimeoutMs) continue
      this.#fail(
        new TailraceError(
          'TAILRACE_AGENT_STALLED',
          `agent "${event.agent}" has worked on "${event.topic}" partition ${event.partition} ` +
            `offset ${event.offset} for longer than stallTimeout (${settings.stallTimeoutMs} ms)`
        )
      )
      return
    }
    this.#cancelTick = clock.schedule(tickMs, () => this.#tick())
  }

  #lead(owned: OwnedTask | undefined): void {
    const wasLeader = this.#leader !== undefined
    this.#leader = owned
    const { log } = this.#parts
    if (wasLeader) this.#leading.stop(backgroundStopMs).catch((error: unknown) => this.#fail(error))
    if (owned === undefined) return
    log.info({ epoch: owned.epoch }, 'this worker leads now')
    if (this.#state === 'running') this.#leading.start()
  }

  #fail(error: unknown): void {
    if (this.#state === 'stopped' || this.#state === 'failed') return
    const isFirst = this.#stopping === undefined
    this.#state = 'failed'
    this.#parts.log.error({ err: error }, `the worker ends: ${messageOf(error)}`)
    this.#coldStop.abort()
    if (isFirst) this.#stopping = this.#shutDown()
    const end = (): void => this.#ended.resolve(error)
    this.#stopping?.then(end, end)
  }

  /** Warm: finishes open events, commits, leaves. Cold, or a second call that is: drops them. */
  async stop(options: StopOptions): Promise<void> {
    if (options.isCold === true) this.#coldStop.abort()
    if (this.#stopping === undefined) {
      this.#parts.log.info({ reason: options.reason }, 'the worker stops')
      this.#state = 'stopping'
      this.#stopping = this.#shutDown()
    }
    await this.#stopping
    if (this.#state === 'stopping') this.#state = 'stopped'
    this.#ended.resolve(undefined)
  }

  // The reverse of the start. Every step has its own limit, or needs none.
  async #shutDown(): Promise<void> {
    const running = this.#running
    this.#cancelTick()
    running?.pulse.count(false)
    await Promise.all([
      this.#leading.stop(backgroundStopMs),
      this.#everywhere.stop(backgroundStopMs)
    ])
    if (running !== undefined) await this.#stopRunning(running)
    await this.#sender.close().catch(() => undefined)
  }

  async #stopRunning(running: Running): Promise<void> {
    const { commits, dispatcher, intake, keeper, tasks } = running
    dispatcher.quiet()
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
      () => commits.stop(),
      () => intake.stop(),
      () => keeper.leave(),
      () => Promise.resolve(running.cleanup.stop())
    ]
    for (const step of steps) {
      await step().catch((error: unknown) => {
        this.#parts.log.warn({ err: error }, `a step of the stop failed: ${messageOf(error)}`)
      })
    }
  }

  status(): WorkerStatus {
    const tasks = this.#running?.tasks.tasks ?? []
    const reason = unreadyReason(this.#state, this.#running?.tasks.hasAnswer ?? false, tasks)
    return {
      state: this.#state,
      isReady: reason === undefined,
      reason,
      memberId: this.memberId,
      generation: this.#running?.tasks.view.generation ?? 0,
      isLeader: this.isLeader,
      leaderEpoch: this.leaderEpoch,
      tasks: tasks.map((task) => taskStatus(task, this.#parts.clock)),
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

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
