// Deletes what is too old, too much or no longer wanted: the start moves, then files go.

import type { TopicPartition, TopicSettings } from '../../port/transport.ts'
import { extraNumber } from './catalog.ts'
import type { Topic } from './catalog.ts'
import { outOfRangeError } from './catalog.ts'
import type { Database, Row } from './database.ts'
import { integer } from './database.ts'
import type { PartitionState } from './locate.ts'
import { partitionState } from './locate.ts'
import type { Log } from './log.ts'
import type { SegmentId } from './segments.ts'
import { Tails } from './tails.ts'

/** An active segment of which nothing is wanted is sealed from this size on, to give it back. */
const sealBytesMin = 1024 * 1024

/** @throws TAILRACE_TRANSPORT_OUT_OF_RANGE beyond the end */
export async function deleteRecords(log: Log, at: TopicPartition, before: number): Promise<void> {
  const { catalog, database } = log
  await removing(log, () => {
    catalog.refresh()
    const id = catalog.partitionId(at)
    const state = partitionState(database, id)
    if (state === undefined || before <= state.start) return []
    if (before > state.next) throw outOfRangeError(at, { offset: before, ...state })
    if (before === state.next && state.position >= sealBytesMin) rollActive(log, id)
    return removeBelow(database, id, before)
  })
}

/** Deletes the segments of a topic that its settings no longer want. */
export async function retain(log: Log, topic: Topic): Promise<void> {
  const { settings, partitionIds } = topic
  if (settings.cleanupPolicy === 'compact') return
  const now = log.clock.now()
  for (const id of partitionIds) {
    const isDue = await log.database.attempt(() => {
      const state = partitionState(log.database, id)
      if (state === undefined) return false
      const segments = log.database.all(selectSegments, id)
      return keptFrom(segments, { state, settings, now }) !== state.start
    })
    if (!isDue) continue
    await removing(log, () => {
      const current = partitionState(log.database, id)
      if (current === undefined) return []
      const segments = log.database.all(selectSegments, id)
      const start = keptFrom(segments, { state: current, settings, now })
      if (start === current.next && current.position > 0) rollActive(log, id)
      return removeBelow(log.database, id, start)
    })
  }
}

/** Seals the active segment unless it is empty: only sealed ones are compacted or deleted. */
export function rollActive(log: Log, id: number): void {
  const tails = new Tails(log)
  tails.roll(id)
  tails.writeOut()
}

/** Commits to the disk, then unlinks: the reverse could leave rows without their files. */
async function removing(log: Log, run: () => readonly SegmentId[]): Promise<void> {
  const removed = await log.database.transaction(run, { isDurable: true })
  for (const segment of removed) log.segments.remove(segment)
  if (removed.length > 0) log.wakeup.nudge()
}

const selectSegments = `
  SELECT s.base, s.next, CASE WHEN s.next IS NULL THEN p.next ELSE s.next END AS upto,
    CASE WHEN s.next IS NULL THEN p.position ELSE s.bytes END AS bytes,
    CASE WHEN s.next IS NULL THEN p.timestamp_max ELSE s.timestamp_max END AS timestamp_max
  FROM segment s JOIN partition p ON p.id = s.partition WHERE s.partition = ? ORDER BY s.base`

interface Keeping {
  readonly state: PartitionState
  readonly settings: TopicSettings
  readonly now: number
}

/** The offset from which on everything is still wanted: segments go whole, oldest first. */
function keptFrom(segments: readonly Row[], { state, settings, now }: Keeping): number {
  const bytesMax = extraNumber(settings, 'retention.bytes') ?? Number.POSITIVE_INFINITY
  let bytes = segments.reduce((sum, row) => sum + integer(row, 'bytes'), 0)
  let start = state.start
  for (const row of segments) {
    const size = integer(row, 'bytes')
    const isActive = row['next'] === null
    const isOld = isExpired(integer(row, 'timestamp_max'), { settings, now })
    // As in Kafka, size alone never takes the active segment.
    if (size === 0 || !(isOld || (!isActive && bytes - size >= bytesMax))) break
    start = Math.max(start, integer(row, 'upto'))
    bytes -= size
  }
  return start
}

function isExpired(
  timestampMax: number,
  { settings, now }: { readonly settings: TopicSettings; readonly now: number }
): boolean {
  if (settings.retentionMs < 0 || timestampMax < 0) return false
  return now - timestampMax > settings.retentionMs
}

/** Moves the start and takes the rows of what lies wholly below it; answers the files. */
function removeBelow(database: Database, id: number, start: number): readonly SegmentId[] {
  const rows = database.all(
    `DELETE FROM segment WHERE partition = ? AND next IS NOT NULL AND next <= ?
     RETURNING base, generation`,
    id,
    start
  )
  const removed = rows.map((row) => ({
    partition: id,
    base: integer(row, 'base'),
    generation: integer(row, 'generation')
  }))
  for (const { base } of removed) {
    database.run('DELETE FROM sparse WHERE partition = ? AND base = ?', id, base)
  }
  database.run('UPDATE partition SET start = max(start, ?) WHERE id = ?', start, id)
  return removed
}
