// One partition in memory: record batches in offset order, and what may be read of them.

import { BatchCursor } from '../../core/batch-cursor.ts'
import { batchHeader, setAppendTime, setBaseOffset } from '../../core/record-batch.ts'
import type { TopicSettings } from '../../port/transport.ts'
import type { StoredBatch } from './compaction.ts'
import { compact } from './compaction.ts'

/** Kafka's own default for `delete.retention.ms`. */
const tombstoneMsDefault = 86_400_000

export class PartitionLog {
  readonly leaderEpoch = 0
  #batches: StoredBatch[] = []
  #start = 0
  #end = 0
  /** Records below it have been compacted before. */
  #cleanEnd = 0

  /** First offset that can still be read. */
  get start(): number {
    return this.#start
  }

  /** Offset the next record will get. */
  get end(): number {
    return this.#end
  }

  /** Takes the batch over; answers the offset of its first record. */
  append(batch: Buffer, settings: TopicSettings, now: number): number {
    const baseOffset = this.#end
    setBaseOffset(batch, baseOffset, this.leaderEpoch)
    if (settings.timestampType === 'append') setAppendTime(batch, now)
    const { lastOffsetDelta, maxTimestamp } = batchHeader(batch, 0)
    const lastOffset = baseOffset + lastOffsetDelta
    this.#batches.push({ baseOffset, lastOffset, maxTimestamp, bytes: batch, cleanedAt: undefined })
    this.#end = lastOffset + 1
    return baseOffset
  }

  /** Whole batches from `position` on: up to `bytesMax`, but one at least. */
  read(position: number, bytesMax: number): { bytes: Buffer; nextOffset: number } {
    const parts: Buffer[] = []
    let size = 0
    let nextOffset = position
    for (let i = this.#indexOf(position); i < this.#batches.length; i++) {
      const batch = this.#batches[i]
      if (batch === undefined || (size > 0 && size + batch.bytes.length > bytesMax)) break
      parts.push(batch.bytes)
      size += batch.bytes.length
      nextOffset = batch.lastOffset + 1
    }
    // A copy: what a reader does to its bytes must not reach the log.
    return { bytes: Buffer.concat(parts, size), nextOffset }
  }

  /** First readable offset whose timestamp is at or after `timestamp`; the end without one. */
  offsetAt(timestamp: number): number {
    const cursor = new BatchCursor()
    for (const { bytes, maxTimestamp } of this.#batches) {
      if (maxTimestamp < timestamp) continue
      cursor.reset(bytes, this.#start)
      while (cursor.next()) if (cursor.timestamp >= timestamp) return cursor.offset
    }
    return this.#end
  }

  deleteBefore(offset: number): void {
    this.#start = Math.max(this.#start, offset)
    this.#batches = this.#batches.slice(this.#indexOf(this.#start))
  }

  /** Deletes and compacts what is due. `isEager` compacts whatever can be. */
  maintain(settings: TopicSettings, now: number, isEager: boolean): void {
    if (settings.cleanupPolicy !== 'compact') this.#expire(settings.retentionMs, now)
    if (settings.cleanupPolicy === 'delete') return
    // As Kafka does: no cleaning for a few new records of a long log.
    const isDirty = this.#end - this.#cleanEnd >= this.#cleanEnd - this.#start
    if (!isEager && !isDirty) return
    const setting = Number(settings.extra['delete.retention.ms'] ?? tombstoneMsDefault)
    this.#batches = compact(this.#batches, { start: this.#start, now, tombstoneMs: setting })
    this.#cleanEnd = this.#end
  }

  #expire(retentionMs: number, now: number): void {
    if (retentionMs < 0) return
    const isFresh = ({ maxTimestamp }: StoredBatch): boolean => maxTimestamp >= now - retentionMs
    const kept = this.#batches.findIndex(isFresh)
    this.deleteBefore(kept < 0 ? this.#end : (this.#batches[kept]?.baseOffset ?? this.#end))
  }

  /** Index of the first batch that ends at or after `position`. */
  #indexOf(position: number): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#batches[middle]?.lastOffset ?? 0) < position) low = middle + 1
      else high = middle
    }
    return low
  }
}
