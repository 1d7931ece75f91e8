// What opening the log mends: tails that a power cut tore, and files that nothing points to.

import { randomUUID } from 'node:crypto'
import { headerAt, readInt64 } from '../../core/record-batch.ts'
import { batchSize, batchStarts, isIntact, offsetAfter, readBatches } from './batches.ts'
import { processIdentity, systemMonotonicMs } from './boot.ts'
import type { Database, Row } from './database.ts'
import { integer, integerOrNull, text } from './database.ts'
import { isMissing } from './failure.ts'
import type { SegmentFiles } from './segments.ts'
import { fileName } from './segments.ts'
import { hasCode } from '../../core/errors.ts'

interface Stored {
  readonly database: Database
  readonly segments: SegmentFiles
}

export interface Recovery {
  readonly leaderEpoch: number
  /** Partitions whose newest records were cut off. */
  readonly cutPartitions: number
  readonly sweptFiles: number
}

/** Runs under the lock, so that of many processes that open at once one does the work. */
export async function recover(stored: Stored): Promise<Recovery> {
  const { database, segments } = stored
  return database.transaction(() => {
    const isRestarted = wasMachineRestarted(database)
    const leaderEpoch = Number(readMeta(database, 'leader_epoch') ?? 0) + (isRestarted ? 1 : 0)
    const cutPartitions = isRestarted ? verifyTails(stored) : 0
    writeMeta(database, 'leader_epoch', String(leaderEpoch))
    writeMeta(database, 'boot', processIdentity().boot)
    writeMeta(database, 'monotonic_ms', String(systemMonotonicMs()))
    if (readMeta(database, 'log_id') === undefined) writeMeta(database, 'log_id', randomUUID())
    return { leaderEpoch, cutPartitions, sweptFiles: sweepOrphans(database, segments) }
  })
}

/** By the boot id, or by a system-wide clock that went back where there is no id. */
function wasMachineRestarted(database: Database): boolean {
  const boot = readMeta(database, 'boot')
  if (boot === undefined) return false
  if (boot !== processIdentity().boot) return true
  return Number(readMeta(database, 'monotonic_ms') ?? 0) > systemMonotonicMs()
}

function readMeta(database: Database, key: string): string | undefined {
  const row = database.get('SELECT value FROM meta WHERE key = ?', key)
  return row === undefined ? undefined : text(row, 'value')
}

function writeMeta(database: Database, key: string, value: string): void {
  database.run(
    'INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    key,
    value
  )
}

/** Files left by a crash between making and committing, or between committing and unlinking. */
function sweepOrphans(database: Database, segments: SegmentFiles): number {
  const known = new Set<string>()
  for (const row of database.all('SELECT partition, base, generation FROM segment')) {
    known.add(fileName(segmentOf(row)))
  }
  return segments.sweep((segment) => known.has(fileName(segment)))
}

function segmentOf(row: Row): { partition: number; base: number; generation: number } {
  return {
    partition: integer(row, 'partition'),
    base: integer(row, 'base'),
    generation: integer(row, 'generation')
  }
}

const selectUnsynced = `
  SELECT s.partition, s.base, s.generation, s.next, p.next AS partition_next,
    CASE WHEN s.next IS NULL THEN p.position ELSE s.bytes END AS bytes
  FROM segment s JOIN partition p ON p.id = s.partition
  WHERE s.is_synced = 0 ORDER BY s.partition, s.base`

/** Metadata may have outlived the bytes it speaks of: each partition is cut where they end. */
function verifyTails(stored: Stored): number {
  const cut = new Set<number>()
  for (const row of stored.database.all(selectUnsynced)) {
    const segment = segmentOf(row)
    if (cut.has(segment.partition)) continue
    const found = verify(stored.segments, row)
    const next = integerOrNull(row, 'next')
    if (found.next === (next ?? integer(row, 'partition_next'))) {
      if (next !== null) markSynced(stored.database, segment)
      continue
    }
    cut.add(segment.partition)
    cutAt(stored.database, segment, found)
  }
  return cut.size
}

interface Verified {
  next: number
  position: number
  timestampMax: number
}

/** How far the batches of a segment are whole, follow each other and match their checksums. */
function verify(segments: SegmentFiles, row: Row): Verified {
  const segment = segmentOf(row)
  const found: Verified = { next: segment.base, position: 0, timestampMax: -1 }
  const to = integer(row, 'bytes')
  try {
    for (const { bytes, position } of readBatches(segments, { segment, from: 0, to })) {
      for (const at of batchStarts(bytes)) {
        const base = readInt64(bytes, at + headerAt.baseOffset)
        if (base !== found.next || !isIntact(bytes, at)) return found
        found.next = offsetAfter(bytes, at)
        found.position = position + at + batchSize(bytes, at)
        const timestamp = readInt64(bytes, at + headerAt.maxTimestamp)
        found.timestampMax = Math.max(found.timestampMax, timestamp)
      }
    }
  } catch (error) {
    // The end of what is whole: a file cut short, bytes that never came, or no file at all.
    if (!isMissing(error) && !hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT')) throw error
  }
  return found
}

function markSynced(database: Database, segment: { partition: number; base: number }): void {
  const { partition, base } = segment
  database.run('UPDATE segment SET is_synced = 1 WHERE partition = ? AND base = ?', partition, base)
}

/** Makes the segment the active one again, ending at what was found whole. */
function cutAt(
  database: Database,
  { partition, base }: { partition: number; base: number },
  { next, position, timestampMax }: Verified
): void {
  database.run('DELETE FROM segment WHERE partition = ? AND base > ?', partition, base)
  database.run('DELETE FROM sparse WHERE partition = ? AND offset >= ?', partition, next)
  database.run(
    `UPDATE segment SET next = NULL, bytes = 0, timestamp_max = -1
       WHERE partition = ? AND base = ?`,
    partition,
    base
  )
  database.run(
    `UPDATE partition SET segment = ?, next = ?, position = ?, timestamp_max = ?,
       start = min(start, ?), indexed = coalesce(
         (SELECT max(position) FROM sparse WHERE partition = id AND base = ?), -1)
     WHERE id = ?`,
    base,
    next,
    position,
    timestampMax,
    next,
    base,
    partition
  )
  database.run(
    'UPDATE committed SET offset = ? WHERE partition = ? AND offset > ?',
    next,
    partition,
    next
  )
}
