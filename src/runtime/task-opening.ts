// Makes a task ready: committed offsets, restored shards, and the runs of its agents.
import type { TableDeclaration } from '../core/declarations.ts'
import { invariant, TailraceError } from '../core/errors.ts'
import { fuse } from '../core/pipeline.ts'
import { changelogOf, type Processor, readersOf, type SubTopology } from '../core/topology.ts'
import type { Store } from '../port/store.ts'
import type { OwnedTask } from '../port/coordinator.ts'
import type { CommittedOffset, PartitionRange, Transport } from '../port/transport.ts'
import type { PartsContext } from './agent-parts.ts'
import { type CacheBudget, ShardCache } from './cache.ts'
import { windowBound, windowStartOf } from './changelog.ts'
import { Decoder } from './decoder.ts'
import { EachRun } from './each-run.ts'
import { Journal } from './journal.ts'
import { LoopRun } from './loop-run.ts'
import type { Spreader } from './outgoing.ts'
import type { OpenTask } from './open-task.ts'
import { streamTimeOf } from './open-task.ts'
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
      processorRun(processor, { ...inner, owner, partition, shards, parts })
    ])
  )
  const inflows = sub.sources.map(
    (topic): Inflow => ({
      queue: new PartitionQueue({ topic: topic.name, partition }, 0),
      decoder: new Decoder(topic),
      routes: readersOf(sub, topic).map(({ processor, inlet }) => ({
        run: runOf(runs, processor),
        steps: fuse(inlet.steps)
      }))
    })
  )
  run = new TaskRun({ id: owned.task, inflows, ...inner, host: parts.host })
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

function runOf(runs: ReadonlyMap<Processor, ProcessorRun>, processor: Processor): ProcessorRun {
  const run = runs.get(processor)
  invariant(run !== undefined, `processor "${processor.name}" has no run`)
  return run
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

interface RunContext {
  readonly owner: StepOwner
  readonly journal: Journal
  readonly time: TaskTime
  readonly abort: AbortController
  readonly partition: number
  readonly shards: ReadonlyMap<TableDeclaration, Shard>
  readonly parts: OpeningParts
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
    log: parts.host.log.child({ agent: agent.name, partition: context.partition })
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
    invariant(range !== undefined, `the log does not know "${queue.topic}"`)
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
