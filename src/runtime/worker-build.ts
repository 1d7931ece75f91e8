// Control plane. Puts the parts of a worker together: who is told what by whom.
import { placesOf, readersOf, type Topology } from '../core/topology.ts'
import type { TaskSpec } from '../core/task-spec.ts'
import { taskId, taskSpecs, topologyHash } from '../core/topology-partitions.ts'
import { hasCode, messageOf } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'
import type { Store } from '../port/store.ts'
import type { JoinRequest, OwnedTask } from '../port/coordinator.ts'
import type { FetchedChunk, Transport } from '../port/transport.ts'
import { type BrokerWatch, tellAnswer, tellFailure } from './broker-watch.ts'
import { CacheBudget } from './cache.ts'
import { CommitLease } from './commit-lease.ts'
import { CommitLoop } from './commit-loop.ts'
import { Dispatcher } from './dispatcher.ts'
import { checkEventTimeouts } from './event-timeouts.ts'
import { Intake } from './intake.ts'
import { inlineKeeper, type Keeper, type KeeperParts, ThreadKeeper } from './keeper.ts'
import type { Log } from './log.ts'
import type { Counters } from './monitor.ts'
import type { HealthReporting, NodePlace } from './node-place.ts'
import { Spreader } from './outgoing.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { type PreparedTopics, prepareTopics } from './prepare.ts'
import { Pulse, type WatchedTask } from './pulse.ts'
import { Queries } from './queries.ts'
import { RecordLimits } from './record-limits.ts'
import { rebalanceTimeoutMs, transactionTimeoutMs, type WorkerSettings } from './settings.ts'
import type { StartQuestions } from './start-questions.ts'
import { StateCleanup } from './state-cleanup.ts'
import { lostPosition } from './task-opening.ts'
import { TaskSet } from './task-set.ts'
import { Upkeep } from './upkeep.ts'

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
  /** Name in the group that stays the same over restarts, for a static member. */
  readonly staticId?: string | undefined
  /** Address of the worker's web server, told to the group. */
  readonly url: string | undefined
  /** Which tasks this worker may be given; the others are for other workers. @default all */
  readonly mayHave?: ((task: TaskSpec) => boolean) | undefined
  /** Of a node of a swarm: how its keeper reports. */
  readonly health?: HealthReporting | undefined
  /** Which node of a swarm it is. */
  readonly node?: NodePlace | undefined
  /** A thread of its own, or this loop where the log lives in this process. */
  readonly keeper: 'thread' | 'inline'
}

/** What the worker itself is told. */
export interface WorkerHooks {
  readonly memberId: string
  readonly brokerWatch: BrokerWatch
  readonly questions: StartQuestions
  readonly counters: Counters
  readonly onFatal: (error: unknown) => void
  readonly onLeader: (owned: OwnedTask | undefined) => void
  /** The group has answered, and its answer was applied. */
  readonly onAnswer: () => void
}

/** Everything that exists once the topics are known. */
export interface Running {
  readonly tasks: TaskSet
  readonly intake: Intake
  readonly dispatcher: Dispatcher
  readonly commits: CommitLoop
  readonly cleanup: StateCleanup
  readonly queries: Queries
  readonly keeper: Keeper
  readonly pulse: Pulse
  readonly budget: CacheBudget
}

/** Parts that others refer to before they exist: they are only called once everything does. */
interface Later {
  intake?: Intake
  commits?: CommitLoop
  tasks?: TaskSet
  keeper?: Keeper
}

interface Common extends WorkerParts, WorkerHooks {
  readonly topics: PreparedTopics
  readonly pulse: Pulse
  readonly lease: CommitLease
  readonly budget: CacheBudget
  readonly limits: RecordLimits
  readonly later: Later
}

/** Creates the topics, then everything that runs; nothing runs yet. */
export async function buildRunning(parts: WorkerParts, hooks: WorkerHooks): Promise<Running> {
  const { clock, log, settings, store, topology } = parts
  checkEventTimeouts(topology, settings)
  const topics = await prepareTopics({ ...parts, questions: hooks.questions })
  const pulse = new Pulse(watchedTasks(topology, topics))
  const budget = new CacheBudget(settings.cacheBytesMax)
  const later: Later = {}
  const lease = new CommitLease(clock)
  const limits = new RecordLimits({
    clock,
    recordBytesMax: settings.recordBytesMax,
    limitsOf: topics.limitsOf
  })
  const common: Common = { ...parts, ...hooks, topics, pulse, lease, budget, limits, later }
  const dispatcher = buildDispatcher(common)
  budget.onGrown = () => dispatcher.lookSoon()
  const intake = await buildIntake(common, dispatcher)
  const cleanup = new StateCleanup({ store, clock, log, afterMs: settings.stateCleanupMs })
  const tasks = buildTaskSet(common, { dispatcher, intake, cleanup })
  const commits = buildCommits(common, { dispatcher, intake, tasks })
  Object.assign(later, { intake, commits, tasks })
  const keeper = await buildKeeper(common, tasks)
  later.keeper = keeper
  const queries = new Queries({
    subTopologies: topology.subTopologies,
    partitionsOf: (sub) => topics.plan.bySubTopology.get(sub) ?? 1,
    tasks
  })
  return { tasks, intake, dispatcher, commits, cleanup, queries, keeper, pulse, budget }
}

function watchedTasks({ subTopologies }: Topology, { plan }: PreparedTopics): WatchedTask[] {
  return subTopologies.flatMap((sub) => {
    const sources = sub.sources.map((topic) => ({
      topic: topic.name,
      readers: readersOf(sub, topic).map(({ processor }) => processor.name)
    }))
    const length = plan.bySubTopology.get(sub.name) ?? 1
    return Array.from({ length }, (_, partition) => {
      return { id: taskId(sub.name, partition), partition, sources, places: placesOf(sub) }
    })
  })
}

function buildDispatcher(common: Common): Dispatcher {
  const { budget, later, settings, topics, topology, transport } = common
  const { transactionBytesMax } = transport.features
  const { deadLetter, onError } = topology.declarations
  return new Dispatcher({
    clock: common.clock,
    log: common.log,
    random: common.random,
    counters: common.counters,
    pulse: common.pulse,
    taskIdleMs: settings.taskIdleMs,
    futureLimitMs: settings.futureLimitMs,
    onError,
    deadLetter,
    limits: common.limits,
    partitionsOf: topics.partitionsOf,
    onFatal: common.onFatal,
    isPressed: () => !budget.makeRoom() || uncommittedBytes(later) > transactionBytesMax,
    onPressure: () => later.commits?.request(),
    onShortened: (task) => later.intake?.relieve(task)
  })
}

function uncommittedBytes({ commits, tasks }: Later): number {
  let bytes = commits?.sender?.pendingBytes ?? 0
  for (const { shards } of tasks?.tasks ?? []) {
    for (const shard of shards) bytes += shard.dirtyBytes
  }
  return bytes
}

async function buildIntake(common: Common, dispatcher: Dispatcher): Promise<Intake> {
  const { clock, log, settings, transport } = common
  return new Intake({
    fetcher: await transport.fetcher(),
    onPoll: () => common.pulse.polled(),
    clock,
    fetchBytesMax: settings.fetchBytesMax,
    queueBytesMax: settings.queueBytesMax,
    queueRecordsMax: settings.queueRecordsMax,
    kick: (task) => dispatcher.kick(task),
    onOutOfRange: (queue, chunk) => afterLoss(queue, chunk, { common, dispatcher }),
    onError: (error) => {
      if (isHopeless(error)) common.onFatal(error)
      else log.warn({ err: error }, `a fetch failed: ${messageOf(error)}`)
    }
  })
}

// Asking again answers the same: the worker would stand still, and look as if it only waited.
function isHopeless(error: unknown): boolean {
  return (
    hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC') ||
    hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT') ||
    hasCode(error, 'TAILRACE_BUG_INVARIANT')
  )
}

function afterLoss(
  queue: PartitionQueue,
  { outOfRange }: FetchedChunk,
  { common, dispatcher }: { readonly common: Common; readonly dispatcher: Dispatcher }
): number | undefined {
  const { fetchPosition, partition, topic } = queue
  const range = { topic, partition, start: 0, end: 0, ...outOfRange, leaderEpoch: 0 }
  try {
    return lostPosition(fetchPosition, range, { settings: common.settings, host: dispatcher })
  } catch (error) {
    common.onFatal(error)
    return undefined
  }
}

function buildTaskSet(
  common: Common,
  own: { dispatcher: Dispatcher; intake: Intake; cleanup: StateCleanup }
): TaskSet {
  const { budget, clock, later, limits, settings, store, topics, topology, transport } = common
  const nothing = Promise.resolve()
  return new TaskSet({
    ...own,
    group: topology.app,
    subTopologies: new Map(topology.subTopologies.map((sub) => [sub.name, sub])),
    opening: {
      app: topology.app,
      transport,
      store,
      settings,
      topics,
      budget,
      spreader: new Spreader(),
      limits,
      host: own.dispatcher
    },
    clock,
    drainTimeoutMs: settings.drainTimeoutMs,
    commit: () => later.commits?.commit() ?? nothing,
    quiesce: () => later.commits?.quiesce() ?? nothing,
    release: (ids) => later.keeper?.release(ids) ?? nothing,
    onLeader: common.onLeader,
    onFatal: common.onFatal
  })
}

function buildCommits(
  common: Common,
  own: { dispatcher: Dispatcher; intake: Intake; tasks: TaskSet }
): CommitLoop {
  const { budget, clock, log, memberId, settings, store, topology, transport } = common
  const repartitions = topology.declarations.groups.map((group) => group.topic.name)
  return new CommitLoop({
    group: topology.app,
    memberId,
    store,
    counters: common.counters,
    topicIdOf: common.topics.idOf,
    transport,
    transactionalId: transactionalIdOf(common),
    clock,
    lease: common.lease,
    intervalMs: settings.commitIntervalMs,
    timeoutMs: settings.commitTimeoutMs,
    brokerTimeoutMs: settings.brokerTimeoutMs,
    transaction: {
      guarantee: settings.guarantee,
      transactionTimeoutMs: transactionTimeoutMs(settings)
    },
    dispatcher: own.dispatcher,
    intake: own.intake,
    tasks: () => own.tasks,
    upkeep: new Upkeep({
      store,
      admin: transport.admin(),
      clock,
      log,
      budget,
      repartitions: new Set(repartitions)
    }),
    onFatal: common.onFatal
  })
}

async function buildKeeper(common: Common, tasks: TaskSet): Promise<Keeper> {
  const { clock, log, topics, topology, transport } = common
  const specs = taskSpecs(topology, topics.plan)
  const request: JoinRequest = {
    group: topology.app,
    memberId: common.memberId,
    topologyHash: topologyHash(specs),
    tasks: specs.filter((task) => common.mayHave?.(task) ?? true),
    sessionTimeoutMs: transport.features.sessionTimeoutMs,
    heartbeatMs: transport.features.heartbeatMs,
    url: common.url,
    transactionalId: transactionalIdOf(common),
    instanceId: common.staticId,
    rebalanceTimeoutMs: rebalanceTimeoutMs(common.settings, transport.features)
  }
  const { brokerWatch } = common
  const parts: KeeperParts = {
    request,
    lease: common.lease,
    leaseMsMax: common.settings.commitTimeoutMs,
    onAnswer: (answer) => {
      tasks.apply(answer)
      common.onAnswer()
    },
    onHeard: () => tellAnswer(brokerWatch, log),
    onError: (error) => tellFailure(brokerWatch, { error, log, what: 'the group cannot be asked' }),
    onDeath: common.onFatal
  }
  const { door } = transport
  const { health, pulse } = common
  if (common.keeper === 'inline' || door === undefined) {
    return inlineKeeper(parts, { transport, clock, pulse, health })
  }
  return new ThreadKeeper(parts, { door, health, pulse })
}

function transactionalIdOf({ instanceId, topology }: WorkerParts): string {
  return `${topology.app}-${instanceId}`
}
