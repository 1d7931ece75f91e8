// Data plane. Records on their way into batches: one open batch for each partition, bounded in
// bytes, closed when it is full or when its time has come.

import type { TailraceError } from '../../core/errors.ts'
import { brokenInvariant } from '../../core/errors.ts'
import type { OutgoingRecord, TopicPartition } from '../../port/transport.ts'
import { EncoderPool, ProduceBatch, type ProducerIdentity } from './produce-batch.ts'
import { PartitionSendQueue } from './produce-partition.ts'

export interface AccumulatorSettings {
  readonly isTransactional: boolean
  /** A batch is closed when it would grow beyond this; a larger record has one to itself. */
  readonly batchBytesMax: number
  /** Until when what is appended now is tried to be sent. */
  readonly deadlineMs: () => number
}

export interface Appended {
  readonly batch: ProduceBatch
  /** The record's place in the batch. */
  readonly index: number
  readonly queue: PartitionSendQueue
  /** What the record takes. */
  readonly bytes: number
}

export class Accumulator {
  readonly pool: EncoderPool = new EncoderPool()
  readonly #settings: AccumulatorSettings
  readonly #topics = new Map<string, (PartitionSendQueue | undefined)[]>()
  readonly #queues: PartitionSendQueue[] = []
  readonly #unsettled = new Set<ProduceBatch>()
  #identity: ProducerIdentity
  #pendingBytes = 0

  constructor(settings: AccumulatorSettings, identity: ProducerIdentity) {
    this.#settings = settings
    this.#identity = identity
  }

  get queues(): readonly PartitionSendQueue[] {
    return this.#queues
  }

  /** Bytes of all batches that are not settled. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get isEmpty(): boolean {
    return this.#unsettled.size === 0
  }

  /** Resolves when every batch of this moment is settled. */
  flushed(): Promise<void> {
    return settled([...this.#unsettled])
  }

  append(record: OutgoingRecord): Appended {
    const { timestamp } = record
    if (!Number.isSafeInteger(timestamp)) {
      throw brokenInvariant(`a record cannot have the timestamp ${timestamp}`)
    }
    const queue = this.queue(record)
    const batch = queue.room(record) ?? this.#opened(queue)
    const before = batch.recordCount === 0 ? 0 : batch.sizeBytes
    const index = batch.recordCount
    batch.encoder.append(record.key, record.value, timestamp, record.headers)
    const bytes = batch.sizeBytes - before
    this.#pendingBytes += bytes
    if (batch.sizeBytes >= this.#settings.batchBytesMax) queue.close()
    return { batch, index, queue, bytes }
  }

  queue({ topic, partition }: TopicPartition): PartitionSendQueue {
    const known = this.#topics.get(topic)?.[partition]
    if (known !== undefined) return known
    const settings = { ...this.#settings, topic, partition, pool: this.pool }
    const made = new PartitionSendQueue(settings, this.#identity)
    const ofTopic = this.#topics.get(topic) ?? []
    ofTopic[partition] = made
    this.#topics.set(topic, ofTopic)
    this.#queues.push(made)
    return made
  }

  /** The batch is settled: its bytes make room. */
  settled(batch: ProduceBatch): void {
    if (this.#unsettled.delete(batch)) this.#pendingBytes -= batch.sizeBytes
  }

  reject(batch: ProduceBatch, error: TailraceError): void {
    this.settled(batch)
    batch.reject(error)
  }

  /** Its halves are waited for from now on. */
  split(batch: ProduceBatch, halves: readonly ProduceBatch[]): void {
    this.settled(batch)
    for (const half of halves) {
      this.#unsettled.add(half)
      this.#pendingBytes += half.sizeBytes
    }
  }

  /** All sequences begin anew under another identity; nothing may be in flight. */
  reset(identity: ProducerIdentity): void {
    this.#identity = identity
    for (const queue of this.#queues) queue.reset(identity)
  }

  #opened(queue: PartitionSendQueue): ProduceBatch {
    const { topic, partition } = queue
    const deadlineMs = this.#settings.deadlineMs()
    const batch = new ProduceBatch({ topic, partition }, deadlineMs, this.pool.take())
    this.#unsettled.add(batch)
    queue.open(batch)
    return batch
  }
}

async function settled(batches: readonly ProduceBatch[]): Promise<void> {
  const results = await Promise.allSettled(batches.map((batch) => batch.placed()))
  const halves = results.flatMap((one) => (one.status === 'fulfilled' ? one.value.halves : []))
  if (halves.length > 0) await settled(halves)
}
