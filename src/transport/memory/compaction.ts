// Compaction of one partition: of each key the last record stays, at its offset.

import { BatchCursor } from '../../core/batch-cursor.ts'
import { BatchEncoder, batchHeader, setAppendTime, setBaseOffset } from '../../core/record-batch.ts'

export interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly bytes: Buffer
  /** When it was first compacted: tombstones stay readable for a while from then on. */
  readonly cleanedAt: number | undefined
}

export interface CompactionLimits {
  /** Records below are no longer readable and are not kept. */
  readonly start: number
  readonly now: number
  /** How long a tombstone stays after it was first compacted (`delete.retention.ms`). */
  readonly tombstoneMs: number
}

/**
 * The batches that remain. The last one stays as it is, as Kafka never compacts the segment it
 * writes to: so the end of the log can always be read up to.
 */
export function compact(batches: readonly StoredBatch[], limits: CompactionLimits): StoredBatch[] {
  const last = batches.at(-1)
  if (last === undefined) return []
  const lastOffsets = lastOffsetByKey(batches, limits.start)
  const kept: StoredBatch[] = []
  for (const batch of batches.slice(0, -1)) {
    const rest = compactBatch(batch, lastOffsets, limits)
    if (rest !== undefined) kept.push(rest)
  }
  kept.push(last)
  return kept
}

function lastOffsetByKey(
  batches: readonly StoredBatch[],
  start: number
): ReadonlyMap<string, number> {
  const cursor = new BatchCursor()
  const lastOffsets = new Map<string, number>()
  for (const { bytes } of batches) {
    cursor.reset(bytes, start)
    while (cursor.next()) if (cursor.keyStart >= 0) lastOffsets.set(keyText(cursor), cursor.offset)
  }
  return lastOffsets
}

function compactBatch(
  batch: StoredBatch,
  lastOffsets: ReadonlyMap<string, number>,
  { start, now, tombstoneMs }: CompactionLimits
): StoredBatch | undefined {
  const cleanedAt = batch.cleanedAt ?? now
  const keepsTombstones = now < cleanedAt + tombstoneMs
  const encoder = new BatchEncoder({ bytesInitial: batch.bytes.length })
  const cursor = new BatchCursor()
  cursor.reset(batch.bytes, start)
  while (cursor.next()) {
    // A record without a key is nobody's older value; Kafka refuses those, we keep them.
    const isLast = cursor.keyStart < 0 || lastOffsets.get(keyText(cursor)) === cursor.offset
    if (!isLast || (cursor.valueStart < 0 && !keepsTombstones)) continue
    const delta = cursor.offset - batch.baseOffset
    encoder.appendAt(delta, cursor.key(), cursor.value(), cursor.timestamp, cursor.headers())
  }
  const { recordCount, isAppendTime } = batchHeader(batch.bytes, 0)
  if (encoder.recordCount === 0) return undefined
  if (encoder.recordCount === recordCount) return { ...batch, cleanedAt }
  const bytes = encoder.finish({ lastOffsetDelta: batch.lastOffset - batch.baseOffset })
  setBaseOffset(bytes, batch.baseOffset)
  if (isAppendTime) setAppendTime(bytes, batch.maxTimestamp)
  return { ...batch, bytes, cleanedAt }
}

/** Bytes as text, one character each, so that they can be the key of a map. */
function keyText(cursor: BatchCursor): string {
  return cursor.key()?.toString('latin1') ?? ''
}
