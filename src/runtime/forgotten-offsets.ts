// Committed offsets that the log has forgotten, while the tables that were written with them stand.
import { brokenInvariant, TailraceError } from '../core/errors.ts'
import type { Store } from '../port/store.ts'
import type { OpenTask } from './open-task.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { Shard } from './shard.ts'
import type { OpeningParts } from './task-opening.ts'

/**
 * Rows, and a group without any committed offset: under exactly-once both were written together, so
 * the log has forgotten the offsets (Kafka does a week after a group's last member). What the rows
 * hold would be counted once more from the beginning, or records left out at the end.
 *
 * @throws TAILRACE_TRANSPORT_OUT_OF_RANGE when the policy is to stop
 */
export async function checkOffsetsKept(
  task: OpenTask,
  { group, sources }: { readonly group: string; readonly sources: readonly string[] },
  parts: OpeningParts
): Promise<void> {
  const { guarantee, onOffsetLost } = parts.settings
  if (guarantee !== 'exactly-once' || task.committed.size > 0) return
  const table = await firstWithRows(task.shards, parts.store)
  if (table === undefined) return
  // A new version of an app may read a topic for the first time, into a table that it had before.
  const partitions = sources.flatMap((topic) =>
    Array.from({ length: parts.topics.partitionsOf(topic) }, (_, partition) => ({
      topic,
      partition
    }))
  )
  const left = await parts.transport.admin().committed(group, partitions)
  if (left.length > 0) return
  const names = task.run.queues.map(({ topic }) => `"${topic}"`).join(', ')
  const what =
    `table "${table}" has rows, and the group no committed offset of ${names} ` +
    `partition ${task.partition}: the log has forgotten it`
  if (onOffsetLost === 'stop') {
    throw new TailraceError('TAILRACE_TRANSPORT_OUT_OF_RANGE', what, {
      hint:
        'Set the offset by the tools of the log; or set onOffsetLost to "earliest", which counts ' +
        'records again, or "latest", which leaves out those not read yet.'
    })
  }
  for (const queue of task.run.queues) await goOn(queue, parts)
  parts.host.log.error({ task: task.owned.task }, `${what}; going on at the ${onOffsetLost}`)
}

async function firstWithRows(shards: readonly Shard[], store: Store): Promise<string | undefined> {
  for (const { id } of shards) {
    const rows = await store.scan(id, { limit: 1 })
    if (rows.length > 0) return id.table
  }
  return undefined
}

async function goOn(queue: PartitionQueue, parts: OpeningParts): Promise<void> {
  const [range] = await parts.transport.admin().ranges([queue])
  if (range === undefined) throw brokenInvariant(`the log does not know "${queue.topic}"`)
  const isLatest = parts.settings.onOffsetLost === 'latest'
  const position = isLatest ? range.end : range.start
  if (isLatest) parts.host.counters.lostRecords += range.end - range.start
  queue.beginAt(position)
}
