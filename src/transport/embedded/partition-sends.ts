// The sends that wait for one partition: encoded at once, written by a job of the writer.

import type { TailraceError } from '../../core/errors.ts'
import { BatchEncoder } from '../../core/record-batch.ts'
import type { Delivery, OutgoingRecord } from '../../port/transport.ts'
import { deletedError } from './catalog.ts'
import type { Log } from './log.ts'
import type { PendingBatch } from './tails.ts'
import { transactionBytesMax, type WriteJob } from './writer.ts'

/** As Kafka's producers: a batch is finished beyond this, and readers take small portions. */
export const batchBytesMax: number = 16 * 1024

export interface SendTarget {
  readonly topic: string
  readonly partition: number
  /** Id of the partition in the log: another one after the topic was made anew. */
  readonly id: number
  readonly hasAppendTime: boolean
  readonly settled: (bytes: number) => void
  /** Called when the topic turns out to be gone. */
  readonly lost: () => void
}

interface Waiter {
  readonly resolve: (delivery: Delivery) => void
  readonly reject: (error: TailraceError) => void
}

interface SentBatch extends PendingBatch {
  readonly waiters: readonly Waiter[]
  readonly timestamps: readonly number[]
}

export class PartitionSends {
  readonly #log: Log
  readonly #target: SendTarget
  readonly #encoder = new BatchEncoder()
  #waiters: Waiter[] = []
  #timestamps: number[] = []
  #finished: SentBatch[] = []
  #isQueued = false

  constructor(log: Log, target: SendTarget) {
    this.#log = log
    this.#target = target
  }

  /** Bytes that the record adds to what waits. */
  append(record: OutgoingRecord, waiter: Waiter): number {
    const { hasAppendTime } = this.#target
    const timestamp = hasAppendTime ? this.#log.clock.now() : record.timestamp
    const before = this.#encoder.recordCount === 0 ? 0 : this.#encoder.sizeBytes
    this.#encoder.append(record.key, record.value, timestamp, record.headers)
    this.#waiters.push(waiter)
    this.#timestamps.push(timestamp)
    const size = this.#encoder.sizeBytes
    if (size >= batchBytesMax) this.#finish()
    this.#queue()
    return size - before
  }

  #queue(): void {
    if (this.#isQueued) return
    this.#isQueued = true
    let taken: readonly SentBatch[] = []
    const job: WriteJob = {
      prepare: () => {
        taken = this.#take(transactionBytesMax)
        if (this.#log.catalog.partitionId(this.#target) !== this.#target.id) {
          throw deletedError(this.#target)
        }
        return taken
      },
      apply: () => {},
      done: () => this.#resolve(taken),
      failed: (error) => {
        // A job that never had the lock has taken nothing yet: all that waits shares the failure.
        this.#reject(taken.length > 0 ? taken : this.#take(Number.POSITIVE_INFINITY), error)
      }
    }
    this.#log.writer.submit(job)
  }

  #finish(): void {
    const { topic, partition, hasAppendTime } = this.#target
    const { recordCount, maxTimestamp } = this.#encoder
    this.#finished.push({
      topic,
      partition,
      recordCount,
      timestampMax: maxTimestamp,
      bytes: this.#encoder.finish({ timestampType: hasAppendTime ? 'append' : 'create' }),
      waiters: this.#waiters,
      timestamps: this.#timestamps,
      baseOffset: -1
    })
    this.#waiters = []
    this.#timestamps = []
  }

  /** The oldest batches, of about so many bytes; the rest waits for another transaction. */
  #take(bytesMax: number): readonly SentBatch[] {
    this.#isQueued = false
    if (this.#encoder.recordCount > 0) this.#finish()
    let bytes = 0
    let count = 0
    while (count < this.#finished.length && bytes < bytesMax) {
      bytes += this.#finished[count++]!.bytes.length
    }
    const taken = this.#finished.slice(0, count)
    this.#finished = this.#finished.slice(count)
    if (this.#finished.length > 0) this.#queue()
    return taken
  }

  #resolve(batches: readonly SentBatch[]): void {
    const { topic, partition, hasAppendTime } = this.#target
    for (const { waiters, timestamps, baseOffset, timestampMax } of batches) {
      for (const [index, waiter] of waiters.entries()) {
        const timestamp = hasAppendTime ? timestampMax : timestamps[index]!
        waiter.resolve({ topic, partition, offset: baseOffset + index, timestamp })
      }
    }
    this.#settle(batches)
  }

  #reject(batches: readonly SentBatch[], error: TailraceError): void {
    if (error.code === 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC') this.#target.lost()
    for (const { waiters } of batches) for (const waiter of waiters) waiter.reject(error)
    this.#settle(batches)
  }

  #settle(batches: readonly SentBatch[]): void {
    this.#target.settled(batches.reduce((sum, batch) => sum + batch.bytes.length, 0))
  }
}
