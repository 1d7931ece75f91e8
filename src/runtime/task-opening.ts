// Makes a task ready: committed offsets, restored shards, and the runs of its agents.
import type { TableDeclaration, TopicDeclaration } from '../core/declarations.ts'
import { brokenInvariant, TailraceError } from '../core/errors.ts'
import { fuse } from '../core/pipeline.ts'
import {
  changelogOf,
  limitOf,
  placesOf,
  type Processor,
  readersOf,
  type SubTopology
} from '../core/topology.ts'
import type { Store } from '../port/store.ts'
import type { OwnedTask } from '../port/coordinator.ts'
import type { CommittedOffset, PartitionRange, Transport } from '../port/transport.ts'
import type { PartsContext } from './agent-parts.ts'
import { type CacheBudget, ShardCache } from './cache.ts'
import { windowBound, windowStartOf } from './changelog.ts'
import { Decoder } from './decoder.ts'
import { EachRun } from './each-run.ts'
import { Gate, type GatedInflow, type Place } from './gate.ts'
import { Journal } from './journal.ts'
import type { Log } from './log.ts'
import { LoopRun } from './loop-run.ts'
import type { Spreader } from './outgoing.ts'
import type { OpenTask } from './open-task.ts'
import { streamTimeOf } from './open-task.ts'
import { ParallelRun } from './parallel-run.ts'
import { PartitionQueue } from './partition-queue.ts'
import type { PreparedTopics } from './prepare.ts'
import { GroupRun, type ProcessorRun, type StepOwner } from './processor.ts'
import type { RecordLimits } from './record-limits.ts'
import { Shard } from './shard.ts'
import type { WorkerSettings } from './settings.ts'
import type { TaskHost } from './task-host.ts'
import type { Inflow } from './open-record.ts'
import { TaskRun } from './task-run.ts'
import { TaskTime } from './task-time.ts'

export interface OpeningParts {
  readonly app: string
  readonly transport: Transport
  readonly store: Store
  readonly settings: WorkerSettings
  readonly topics: PreparedTopics
  readonly budget: CacheBudget
  readonly spreader: Spreader
  readonly limits: RecordLimits
  readonly host: TaskHost
}

/** Builds everything of a task; nothing runs and nothing is restored yet. */
export function buildTask(owned: OwnedTask, sub: SubTopology, parts: OpeningParts): OpenTask {
  const partition = Number(owned.task.slice(owned.task.lastIndexOf('/') + 1))
  const shards = new Map(
    sub.tables.map((table) => [table, shardOf(table, partition, sub, parts)] as const)
  )
  const context: TaskContext = { partition, shards, parts }
  const opened = placesOf(sub) > 1 ? parallelRun : serialRun
  const run = opened(owned.task, sub, context)
  return {
    owned,
    sub,
    partition,
    shards: [...shards.values()],
    run,
    state: 'restoring',
    progress: undefined,
    committed: new Map(),
    committedTime: Number.NEGATIVE_INFINITY
  }
}

/** One record at a time: each agent has one run, and all of them one journal. */
function serialRun(id: string, sub: SubTopology, context: TaskContext): TaskRun {
  const inner = { journal: new Journal(), time: new TaskTime(), abort: new AbortController() }
  // Runs are made before the task they report to.
  let run: TaskRun | undefined
  const owner: StepOwner = {
    completed: () => run?.completed(),
    failed: (error) => run?.failed(error)
  }
  const runs = new Map(
    sub.processors.map((processor) => [
      processor,
      processorRun(processor, { ...context, ...inner, owner, log: logOf(processor, context) })
    ])
  )
  const inflows = sub.sources.map(
    (topic): Inflow => ({
      queue: new PartitionQueue({ topic: topic.name, partition: context.partition }, 0),
      decoder: new Decoder(topic),
      routes: readersOf(sub, topic).map(({ processor, inlet }) => ({
        run: partOf(runs, processor),
        steps: fuse(inlet.steps)
      }))
    })
  )
  run = new TaskRun({ id, inflows, ...inner, host: context.parts.host })
  return run
}

/** Several at a time: an agent has a run and a journal for each event that it works on. */
function parallelRun(id: string, sub: SubTopology, context: TaskContext): ParallelRun {
  const { host } = context.parts
  const abort = new AbortController()
  let run: ParallelRun | undefined
  let rows = 0
  const gateOf = (processor: Processor): Gate => {
    const limit = limitOf(processor)
    const firstRow = rows
    rows += limit
    const log = logOf(processor, context)
    return new Gate({
      name: processor.name,
      onError: processor.kind === 'agent' ? processor.agent.onError : undefined,
      limit,
      order: orderOf(processor),
      isLastToEnter: processor.kind === 'agent' && Object.keys(processor.agent.reads).length > 0,
      place: (gate, index): Place => {
        const inner = { journal: new Journal(), time: new TaskTime() }
        const owner: StepOwner = {
          completed: () => run?.completed(place),
          failed: (error) => run?.failed(place, error)
        }
        const place: Place = {
          ...inner,
          gate,
          run: processorRun(processor, { ...context, ...inner, abort, owner, log }),
          row: host.rowOf(id, firstRow + index),
          record: undefined
        }
        return place
      }
    })
  }
  const gates = new Map(sub.processors.map((processor) => [processor, gateOf(processor)]))
  const inflows = sub.sources.map((topic) => gatedInflow(topic, sub, gates, context.partition))
  run = new ParallelRun({
    id,
    inflows,
    gates: [...gates.values()],
    time: new TaskTime(),
    abort,
    host
  })
  return run
}

function gatedInflow(
  topic: TopicDeclaration,
  sub: SubTopology,
  gates: ReadonlyMap<Processor, Gate>,
  partition: number
): GatedInflow {
  const at = { topic: topic.name, partition }
  const routes = readersOf(sub, topic).map(({ processor, inlet }) => ({
    run: partOf(gates, processor),
    steps: fuse(inlet.steps)
  }))
  return {
    queue: new PartitionQueue(at, 0, { holdsRecords: true }),
    decoder: new Decoder(topic),
    key: topic.key,
    routes: routes.map(({ run, steps }, index) => ({
      run,
      steps,
      isLast: !routes.slice(index + 1).some((later) => later.run === run)
    })),
    gates: [...new Set(routes.map(({ run }) => run))]
  }
}

function orderOf(processor: Processor): 'key' | 'none' {
  if (processor.kind === 'group' || processor.agent.body.kind === 'loop') return 'key'
  return processor.agent.body.order
}

function partOf<T>(parts: ReadonlyMap<Processor, T>, processor: Processor): T {
  const part = parts.get(processor)
  if (part === undefined) throw brokenInvariant(`processor "${processor.name}" has no run`)
  return part
}

function logOf(processor: Processor, { partition, parts }: TaskContext): Log {
  return parts.host.log.child({ agent: processor.name, partition })
}

function shardOf(
  table: TableDeclaration,
  partition: number,
  sub: SubTopology,
  parts: OpeningParts
): Shard {
  return new Shard({
    table,
    partition,
    partitions: parts.topics.plan.bySubTopology.get(sub.name) ?? 1,
    changelog: changelogOf(parts.app, table),
    store: parts.store,
    cache: new ShardCache(parts.budget),
    recordBytesMax: parts.limits.rowBytesMax(changelogOf(parts.app, table)),
    storedWindows: table.window === undefined ? undefined : new Set()
  })
}

/** What all runs of a task share. */
interface TaskContext {
  readonly partition: number
  readonly shards: ReadonlyMap<TableDeclaration, Shard>
  readonly parts: OpeningParts
}

interface RunContext extends TaskContext {
  readonly owner: StepOwner
  readonly journal: Journal
  readonly time: TaskTime
  readonly abort: AbortController
  readonly log: Log
}

function processorRun(processor: Processor, context: RunContext): ProcessorRun {
  const { journal, parts } = context
  const { limits } = parts
  if (processor.kind === 'group') {
    const partitions = parts.topics.partitionsOf(processor.group.topic.name)
    return new GroupRun({ processor, journal, limits, partitions })
  }
  const { agent } = processor
  const agentContext: PartsContext = {
    shards: context.shards,
    partitionsOf: parts.topics.partitionsOf,
    limits,
    spreader: parts.spreader,
    onLate: (late) => {
      parts.host.counters.late++
      const table = Object.values(agent.tables).find((one) => one.name === late.table)
      table?.onLate?.(late)
    }
  }
  const runParts = {
    agent,
    owner: context.owner,
    journal,
    time: context.time,
    context: agentContext,
    partition: context.partition,
    signal: context.abort.signal,
    log: context.log
  }
  const { body } = agent
  return body.kind === 'loop'
    ? new LoopRun(runParts, body)
    : new EachRun(runParts, body, parts.host.clock)
}

/** Where each source goes on: its committed offset, or by policy where there is none. */
export async function positionTask(
  task: OpenTask,
  group: string,
  parts: OpeningParts
): Promise<void> {
  const admin = parts.transport.admin()
  const queues = task.run.queues
  const committed = await admin.committed(group, queues)
  const ranges = await admin.ranges(queues)
  for (const queue of queues) {
    const found = committed.find((one) => one.topic === queue.topic)
    const range = ranges.find((one) => one.topic === queue.topic)
    if (range === undefined) throw brokenInvariant(`the log does not know "${queue.topic}"`)
    const position = positionOf(found, range, parts)
    // Another position than the committed one has nothing to do with the record before that.
    queue.beginAt(position, position === found?.offset ? found.leaderEpoch : undefined)
    queue.end = Math.max(position, range.end)
    if (found !== undefined) {
      task.committed.set(queue.topic, found.offset)
      queue.streamTime = streamTimeOf(found.metadata)
      task.run.time.restore(queue.streamTime)
      task.committedTime = task.run.time.finished
    }
  }
}

function positionOf(
  committed: CommittedOffset | undefined,
  range: PartitionRange,
  parts: OpeningParts
): number {
  const { offsetReset } = parts.settings
  if (committed === undefined) return offsetReset === 'earliest' ? range.start : range.end
  if (committed.offset >= range.start && committed.offset <= range.end) return committed.offset
  return lostPosition(committed.offset, range, parts)
}

/**
 * The offset to go on from when the one wanted is not in the log.
 *
 * @throws TAILRACE_TRANSPORT_OUT_OF_RANGE when the policy is to stop
 */
export function lostPosition(
  wanted: number,
  range: PartitionRange,
  parts: Pick<OpeningParts, 'settings' | 'host'>
): number {
  const { onOffsetLost } = parts.settings
  const lost = Math.max(0, range.start - wanted)
  const where = `"${range.topic}" partition ${range.partition}`
  // A log that was cut and has grown again holds the offset, and another record at it.
  const isInside = wanted >= range.start && wanted <= range.end
  const what =
    `offset ${wanted} of ${where} is ${isInside ? 'no longer what it was' : 'not'} in the log, ` +
    `which holds ${range.start} to ${range.end}: ` +
    (lost > 0 ? `${lost} records were deleted unread` : 'the log was cut or made anew')
  if (onOffsetLost === 'stop') {
    throw new TailraceError('TAILRACE_TRANSPORT_OUT_OF_RANGE', what, {
      hint: 'Set onOffsetLost to "earliest" or "latest" to go on without them.'
    })
  }
  parts.host.counters.lostRecords += onOffsetLost === 'latest' ? range.end - wanted : lost
  parts.host.log.error({ topic: range.topic, partition: range.partition, lost }, what)
  return onOffsetLost === 'earliest' ? range.start : range.end
}

/** Learns which windows the store has rows of, by hopping from one to the next. */
export async function findStoredWindows(shard: Shard, store: Store): Promise<void> {
  const windows = shard.storedWindows
  if (windows === undefined) return
  let from: Uint8Array | undefined
  for (;;) {
    const [row] = await store.scan(shard.id, { limit: 1, ...(from !== undefined && { from }) })
    if (row === undefined) return
    const start = windowStartOf(row.key)
    windows.add(start)
    from = windowBound(start + 1)
  }
}
