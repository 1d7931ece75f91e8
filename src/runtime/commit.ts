// Commits the worker's tasks, each at its own last cut: freeze, encode, one transaction with
// outputs, changelogs and offsets, then the store. The store is never ahead of the log.
import { TailraceError } from '../core/errors.ts'
import { failpoint } from '../port/failpoint.ts'
import type { Checkpoint, Store, StoreBatch } from '../port/store.ts'
import type { GroupMember } from '../port/coordinator.ts'
import type { TransactionReport } from '../port/transport.ts'
import type { Counters } from './monitor.ts'
import type { Entry } from './entry.ts'
import { type Cut, hasProgress, metadataOf, type OpenTask } from './open-task.ts'
import type { Sender } from './sender.ts'
import type { RowBlock } from './row-block.ts'
import type { Shard } from './shard.ts'

export interface CommitParts {
  readonly group: string
  readonly memberId: string
  /** Of the tasks' membership, where the log checks commits by it. */
  readonly member: GroupMember | undefined
  /** The same in the group's next generation, if it has kept these tasks. */
  readonly renewed: (tasks: readonly OpenTask[]) => Promise<GroupMember | undefined>
  readonly store: Store
  readonly counters: Counters
  /** Identity of each changelog topic, for checkpoints. */
  readonly topicIdOf: (topic: string) => string
  /** Rejects when the log takes too long. */
  readonly within: <T>(work: Promise<T>) => Promise<T>
}

/** A commit that cannot succeed because of what some of its tasks wrote. */
export class UnencodableTasks extends Error {
  override readonly name: string = 'UnencodableTasks'
  readonly tasks: readonly OpenTask[]

  /** `cause` is what the first of them failed with. */
  constructor(tasks: readonly OpenTask[], cause: unknown) {
    const ids = tasks.map((task) => task.owned.task).join(', ')
    super(`what was written by ${ids} cannot be committed`, { cause })
    this.tasks = tasks
  }
}

/**
 * Commits what the tasks have finished. Returns those that are no longer ours.
 *
 * @throws UnencodableTasks before anything was written; anything else leaves the outcome unknown
 */
export async function commitTasks(
  tasks: readonly OpenTask[],
  sender: Sender,
  parts: CommitParts
): Promise<readonly OpenTask[]> {
  sender.check()
  const cuts = cutsOf(tasks.filter(hasProgress))
  if (cuts.length === 0) return []
  const renewed = (): Promise<GroupMember | undefined> =>
    parts.renewed(cuts.map(({ task }) => task))
  for (const cut of cuts) appendCut(cut, sender, { ...parts, renewedAll: renewed })
  sender.seal()
  failpoint('commit.frozen')
  // Not the store write: once begun it takes hold, and a restore must not begin beside it.
  const report = await parts.within(sender.end())
  failpoint('commit.ended')
  const fenced = new Set(report.fenced)
  const kept = cuts.filter((cut) => !fenced.has(cut.task.owned.task))
  await writeStore(kept, report, parts)
  failpoint('commit.stored')
  for (const cut of kept) settleCut(cut)
  parts.counters.commits++
  return cuts.filter((cut) => fenced.has(cut.task.owned.task)).map((cut) => cut.task)
}

// All of them are tried: tasks that fail one after the other would each cost a restart of all.
function cutsOf(tasks: readonly OpenTask[]): readonly Cut[] {
  const cuts: Cut[] = []
  const failed: { readonly task: OpenTask; readonly error: unknown }[] = []
  for (const task of tasks) {
    try {
      cuts.push(cutOf(task))
    } catch (error) {
      failed.push({ task, error })
    }
  }
  const [first] = failed
  if (first === undefined) return cuts
  throw new UnencodableTasks(
    failed.map(({ task }) => task),
    first.error
  )
}

function cutOf(task: OpenTask): Cut {
  return {
    task,
    streamTime: task.run.time.finished,
    offsets: task.run.positions.map(({ leaderEpoch, partition, position, streamTime, topic }) => ({
      topic,
      partition,
      offset: position,
      metadata: metadataOf(streamTime),
      leaderEpoch
    })),
    rows: task.shards.map((shard) => ({ shard, block: shard.freeze() }))
  }
}

interface AppendParts extends CommitParts {
  readonly renewedAll: () => Promise<GroupMember | undefined>
}

function appendCut(cut: Cut, sender: Sender, parts: AppendParts): void {
  const { owned, partition } = cut.task
  for (const { block, shard } of cut.rows) {
    const { entries } = block
    const topic = shard.changelog
    parts.counters.changelogRecords += entries.length
    for (let index = 0; index < entries.length; index++) {
      const { timestamp } = entries[index] as Entry
      const [key, value] = [block.key(index), block.row(index)]
      sender.append(owned.task, { topic, partition, key, value, timestamp })
    }
  }
  // Also unchanged offsets: they are what proves that the task is still ours (KIP-447).
  sender.commitOffsets({
    group: parts.group,
    task: owned.task,
    memberId: parts.memberId,
    epoch: owned.epoch,
    offsets: cut.offsets,
    ...(parts.member === undefined ? {} : { member: parts.member, renewed: parts.renewedAll })
  })
}

async function writeStore(
  cuts: readonly Cut[],
  report: TransactionReport,
  parts: CommitParts
): Promise<void> {
  const changed = cuts.flatMap((cut) => cut.rows.filter(({ block }) => block.entries.length > 0))
  if (changed.length === 0) return
  const batch = parts.store.batch()
  for (const { block, shard } of changed) {
    putRows(shard, block, batch)
    batch.checkpoint(shard.id, checkpointOf(shard, report, parts))
  }
  await batch.write()
}

function putRows({ id }: Shard, block: RowBlock, batch: StoreBatch): void {
  for (let index = 0; index < block.entries.length; index++) {
    const row = block.row(index)
    if (row === null) batch.delete(id, block.key(index))
    else batch.put(id, block.key(index), row)
  }
}

function checkpointOf(shard: Shard, report: TransactionReport, parts: CommitParts): Checkpoint {
  const { changelog, id } = shard
  const end = report.ends.find((one) => one.topic === changelog && one.partition === id.partition)
  if (end === undefined) {
    throw new TailraceError(
      'TAILRACE_BUG_INVARIANT',
      `the log does not say where the changelog "${changelog}" ended`
    )
  }
  return { topicId: parts.topicIdOf(changelog), offset: end.end, leaderEpoch: end.leaderEpoch }
}

function settleCut(cut: Cut): void {
  for (const { block, shard } of cut.rows) shard.committed(block)
  for (const { offset, topic } of cut.offsets) cut.task.committed.set(topic, offset)
  cut.task.committedTime = cut.streamTime
}
