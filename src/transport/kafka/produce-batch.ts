// Data plane. One batch of a producer on its way: filled, stamped once, sent until it is settled.

import { BatchCursor } from '../../core/batch-cursor.ts'
import type { TailraceError } from '../../core/errors.ts'
import { invariant } from '../../core/errors.ts'
import { BatchEncoder, setProducer } from '../../core/record-batch.ts'
import type { Delivery, TopicPartition } from '../../port/transport.ts'

/** What the broker knows a producer by. */
export interface ProducerIdentity {
  readonly id: bigint
  readonly epoch: number
}

/** Where the records of a batch came to stand. */
export interface BatchPlace {
  /** The record that was appended `index`-th, with the timestamp it was given. */
  deliveryOf(index: number, timestamp: number): Delivery | Promise<Delivery>
  /** What a batch was split into, and is waited for in its place. */
  readonly halves: readonly ProduceBatch[]
}

/** Encoders whose batch was sent; the next batch of whatever partition takes one. */
export class EncoderPool {
  readonly #free: BatchEncoder[] = []

  take(): BatchEncoder {
    return this.#free.pop() ?? new BatchEncoder({ bytesInitial: encoderBytesInitial })
  }

  give(encoder: BatchEncoder): void {
    if (this.#free.length < encodersKeptMax) this.#free.push(encoder)
  }
}

const encoderBytesInitial = 16 * 1024
const encodersKeptMax = 128

export class ProduceBatch {
  readonly at: TopicPartition
  /** On the monotonic clock: after this it is not tried again. */
  readonly deadlineMs: number
  /** Set once the batch is stamped, and again when sequences begin anew. */
  identity: ProducerIdentity | undefined
  sequence = -1
  /** An attempt ended without an answer, so it may be in the log. */
  isUncertain = false
  attempts = 0
  #encoder: BatchEncoder | undefined
  #bytes: Buffer | undefined
  #recordCount = 0
  #sizeBytes = 0
  #waiting: PromiseWithResolvers<BatchPlace> | undefined
  #result: BatchPlace | TailraceError | undefined

  constructor(at: TopicPartition, deadlineMs: number, encoder: BatchEncoder) {
    this.at = at
    this.deadlineMs = deadlineMs
    this.#encoder = encoder
  }

  get recordCount(): number {
    return this.#encoder?.recordCount ?? this.#recordCount
  }

  get sizeBytes(): number {
    return this.#encoder?.sizeBytes ?? this.#sizeBytes
  }

  /** Open until it is stamped. */
  get encoder(): BatchEncoder {
    invariant(this.#encoder !== undefined, 'a batch was appended to after it was sent')
    return this.#encoder
  }

  get bytes(): Buffer {
    invariant(this.#bytes !== undefined, 'a batch was sent before it was stamped')
    return this.#bytes
  }

  get isStamped(): boolean {
    return this.identity !== undefined
  }

  /** Gives the batch its place in the sequence; from then on its bytes stay as they are. */
  stamp(
    identity: ProducerIdentity,
    sequence: number,
    options: { readonly isTransactional: boolean; readonly pool: EncoderPool }
  ): void {
    const producer = {
      producerId: identity.id,
      producerEpoch: identity.epoch,
      baseSequence: sequence
    }
    if (this.#encoder === undefined) {
      // A copy: the bytes of an attempt that was given up may still wait in a socket.
      this.#bytes = Buffer.from(this.bytes)
      setProducer(this.#bytes, producer)
    } else {
      this.#recordCount = this.#encoder.recordCount
      this.#sizeBytes = this.#encoder.sizeBytes
      const { isTransactional } = options
      this.#bytes = this.#encoder.finish({ ...producer, isTransactional, leaderEpoch: -1 })
      options.pool.give(this.#encoder)
      this.#encoder = undefined
    }
    this.identity = identity
    this.sequence = sequence
  }

  /** The records of this one in two. What is waited for here is found there. */
  split(pool: EncoderPool): readonly [ProduceBatch, ProduceBatch] {
    const halves = [0, 1].map(() => new ProduceBatch(this.at, this.deadlineMs, pool.take()))
    const [first, second] = halves as [ProduceBatch, ProduceBatch]
    const firstCount = this.#recordCount >> 1
    const cursor = new BatchCursor()
    cursor.reset(this.bytes, 0)
    for (let i = 0; cursor.next(); i++) {
      const { encoder } = i < firstCount ? first : second
      encoder.append(cursor.key(), cursor.value(), cursor.timestamp, cursor.headers())
    }
    this.accept({
      halves: [first, second],
      deliveryOf: async (index, timestamp) => {
        const [half, place] = index < firstCount ? [first, index] : [second, index - firstCount]
        return (await half.placed()).deliveryOf(place, timestamp)
      }
    })
    return [first, second]
  }

  /** Resolves when the log has it; rejects when it never will. */
  placed(): Promise<BatchPlace> {
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers<BatchPlace>()
      this.#settle()
    }
    return this.#waiting.promise
  }

  accept(place: BatchPlace): void {
    this.#end(place)
  }

  reject(error: TailraceError): void {
    this.#end(error)
  }

  #end(result: BatchPlace | TailraceError): void {
    invariant(this.#result === undefined, 'a batch was settled twice')
    this.#result = result
    this.#bytes = undefined
    this.#encoder = undefined
    this.#settle()
  }

  #settle(): void {
    const result = this.#result
    if (result === undefined || this.#waiting === undefined) return
    if (result instanceof Error) this.#waiting.reject(result)
    else this.#waiting.resolve(result)
  }
}

/** Everything of a batch stands in a row. */
export class RowPlace implements BatchPlace {
  readonly halves: readonly ProduceBatch[] = []
  readonly #at: TopicPartition
  readonly #baseOffset: number
  readonly #appendTime: number

  constructor(at: TopicPartition, baseOffset: number, appendTime: number) {
    this.#at = at
    this.#baseOffset = baseOffset
    this.#appendTime = appendTime
  }

  deliveryOf(index: number, timestamp: number): Delivery {
    return {
      topic: this.#at.topic,
      partition: this.#at.partition,
      // The log that has forgotten a duplicate's offset says -1.
      offset: this.#baseOffset < 0 ? -1 : this.#baseOffset + index,
      timestamp: this.#appendTime < 0 ? timestamp : this.#appendTime
    }
  }
}
