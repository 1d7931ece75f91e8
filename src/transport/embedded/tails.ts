// Places batches at the committed ends of partitions and writes them there, all under the lock.

import { brokenInvariant } from '../../core/errors.ts'
import { setBaseOffset } from '../../core/record-batch.ts'
import type { TopicPartition } from '../../port/transport.ts'
import type { Database } from './database.ts'
import { integer } from './database.ts'
import type { SegmentFiles } from './segments.ts'

/** A finished batch on its way into the log; `baseOffset` is set under the lock. */
export interface PendingBatch extends TopicPartition {
  readonly bytes: Buffer
  readonly recordCount: number
  readonly timestampMax: number
  baseOffset: number
}

export interface TailsOptions {
  readonly database: Database
  readonly segments: SegmentFiles
  readonly leaderEpoch: number
  /** Brings the bytes to the disk before the commit, so that a power cut leaves no gap. */
  readonly isFull: boolean
}

/** Bytes between two entries of the sparse index: what a seek reads at most to find its batch. */
export const indexStepBytes: number = 64 * 1024

interface Tail {
  readonly id: number
  segment: number
  /** Offset of the next record. */
  next: number
  /** End of what is committed or placed. */
  position: number
  /** Last position in the sparse index; -1 in an empty segment. */
  indexed: number
  timestampMax: number
  /** Placed and not yet written: they belong at `writeAt`. */
  buffers: Buffer[]
  writeAt: number
}

const selectTail = `
  SELECT segment, next, position, indexed, timestamp_max FROM partition WHERE id = ?`
const updateTail = `
  UPDATE partition SET segment = ?, next = ?, position = ?, indexed = ?, timestamp_max = ?
  WHERE id = ?`
const seal = `
  UPDATE segment SET next = ?, bytes = ?, timestamp_max = ?, is_synced = ?
  WHERE partition = ? AND base = ?`
const insertSegment = 'INSERT INTO segment(partition, base, generation) VALUES (?, ?, 0)'
const insertIndex = 'INSERT INTO sparse VALUES (?, ?, ?, ?)'

/** The ends of the partitions that one transaction touches. Used once, inside it. */
export class Tails {
  readonly #options: TailsOptions
  readonly #tails = new Map<number, Tail>()

  constructor(options: TailsOptions) {
    this.#options = options
  }

  /** Gives the batch its offsets, at the end of partition `id`. */
  place(id: number, batch: PendingBatch, segmentBytes: number): void {
    const tail = this.#tail(id)
    const size = batch.bytes.length
    if (tail.position > 0 && tail.position + size > segmentBytes) this.#roll(tail)
    batch.baseOffset = tail.next
    setBaseOffset(batch.bytes, tail.next, this.#options.leaderEpoch)
    if (tail.indexed < 0 || tail.position - tail.indexed >= indexStepBytes) {
      this.#options.database.run(insertIndex, id, tail.segment, tail.next, tail.position)
      tail.indexed = tail.position
    }
    tail.buffers.push(batch.bytes)
    tail.position += size
    tail.next += batch.recordCount
    if (batch.timestampMax > tail.timestampMax) tail.timestampMax = batch.timestampMax
  }

  /** Seals the active segment of a partition, unless it is empty, and begins the next one. */
  roll(id: number): void {
    const tail = this.#tail(id)
    if (tail.position > 0) this.#roll(tail)
  }

  /** Writes what was placed, and the new ends. The commit makes them visible. */
  writeOut(): void {
    for (const tail of this.#tails.values()) {
      this.#writeBytes(tail)
      const { segment, next, position, indexed, timestampMax, id } = tail
      this.#options.database.run(updateTail, segment, next, position, indexed, timestampMax, id)
    }
  }

  #tail(id: number): Tail {
    const known = this.#tails.get(id)
    if (known !== undefined) return known
    const row = this.#options.database.get(selectTail, id)
    if (row === undefined) {
      throw brokenInvariant(`partition ${id} of the log has a topic and no row`)
    }
    const position = integer(row, 'position')
    const tail: Tail = {
      id,
      segment: integer(row, 'segment'),
      next: integer(row, 'next'),
      position,
      indexed: integer(row, 'indexed'),
      timestampMax: integer(row, 'timestamp_max'),
      buffers: [],
      writeAt: position
    }
    this.#tails.set(id, tail)
    return tail
  }

  #roll(tail: Tail): void {
    const { database, isFull } = this.#options
    const { id, next, position, timestampMax } = tail
    this.#writeBytes(tail)
    database.run(seal, next, position, timestampMax, isFull ? 1 : 0, id, tail.segment)
    database.run(insertSegment, id, next)
    Object.assign(tail, { segment: next, position: 0, indexed: -1, timestampMax: -1, writeAt: 0 })
  }

  #writeBytes(tail: Tail): void {
    if (tail.buffers.length === 0) return
    const { segments, isFull } = this.#options
    const segment = { partition: tail.id, base: tail.segment, generation: 0 }
    segments.write(segment, tail.buffers, tail.writeAt)
    if (isFull) segments.sync(segment, tail.writeAt === 0)
    tail.buffers = []
    tail.writeAt = tail.position
  }
}
