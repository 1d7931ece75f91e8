// The answer to a Fetch, read lazily: numbers of each partition, and where its records lie.

import { readInt64 } from '../../core/record-batch.ts'
import type { TopicPart } from './fetch-request.ts'
import { KafkaFailure, local } from './protocol-failure.ts'

/** A transaction that was aborted and has records in the part that was answered. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface PartitionAnswer {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** A replica nearer to the reader, or -1. */
  readonly preferredReplica: number
  /** A view of the answer; the last batch may be cut off. */
  readonly records: Buffer
  /** Where the log parts from what was read before: it was cut since. */
  readonly divergesAt: number | undefined
  /** Who leads now, when the one asked does not (KIP-951). */
  readonly leader: LeaderHint | undefined
}

export interface LeaderHint {
  readonly broker: number
  readonly leaderEpoch: number
}

/** Where a broker is that an answer speaks of. */
export interface Endpoint {
  readonly broker: number
  readonly host: string
  readonly port: number
}

export interface FetchAnswer {
  readonly throttleMs: number
  readonly errorCode: number
  readonly sessionId: number
  readonly topics: readonly TopicPart<PartitionAnswer>[]
  readonly endpoints: readonly Endpoint[]
}

const noBytes: Buffer = Buffer.alloc(0)
const noneAborted: readonly AbortedTransaction[] = []

/**
 * Reads the body of an answer. Records are views of `body`, which nobody else may write to.
 *
 * @throws KafkaFailure when it ends too early
 */
export function decodeFetch(body: Buffer): FetchAnswer {
  try {
    return new AnswerReader(body).answer()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new KafkaFailure(local.unreadable, 'the answer to a fetch', { cause: error })
  }
}

class AnswerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  answer(): FetchAnswer {
    const throttleMs = this.#int32()
    const errorCode = this.#int16()
    const sessionId = this.#int32()
    const topics: TopicPart<PartitionAnswer>[] = []
    for (let left = this.#count(); left > 0; left--) topics.push(this.#topic())
    const endpoints: Endpoint[] = []
    this.#tags((tag) => {
      if (tag !== tags.nodeEndpoints) return
      for (let left = this.#count(); left > 0; left--) endpoints.push(this.#endpoint())
    })
    return { throttleMs, errorCode, sessionId, topics, endpoints }
  }

  #endpoint(): Endpoint {
    const broker = this.#int32()
    const size = this.#count()
    const host = this.#bytes.toString('utf8', this.#at, this.#skip(size))
    const port = this.#int32()
    // Its rack.
    this.#skip(this.#count())
    this.#tags(() => undefined)
    return { broker, host, port }
  }

  #topic(): TopicPart<PartitionAnswer> {
    const topicId = this.#bytes.toString('hex', this.#at, this.#skip(16))
    const partitions: PartitionAnswer[] = []
    for (let left = this.#count(); left > 0; left--) partitions.push(this.#partition())
    this.#tags(() => undefined)
    return { topicId, partitions }
  }

  #partition(): PartitionAnswer {
    const partition = this.#int32()
    const errorCode = this.#int16()
    const highWatermark = this.#int64()
    const lastStableOffset = this.#int64()
    this.#skip(8)
    const aborted = this.#aborted()
    const preferredReplica = this.#int32()
    const size = this.#count()
    const records = size === 0 ? noBytes : this.#bytes.subarray(this.#at, this.#skip(size))
    let divergesAt: number | undefined
    let leader: LeaderHint | undefined
    this.#tags((tag) => {
      if (tag === tags.divergingEpoch) {
        this.#skip(4)
        divergesAt = this.#int64()
      } else if (tag === tags.currentLeader) {
        leader = { broker: this.#int32(), leaderEpoch: this.#int32() }
      }
    })
    return {
      partition,
      errorCode,
      highWatermark,
      lastStableOffset,
      aborted,
      preferredReplica,
      records,
      divergesAt,
      leader
    }
  }

  #aborted(): readonly AbortedTransaction[] {
    let left = this.#count()
    if (left === 0) return noneAborted
    const aborted: AbortedTransaction[] = []
    for (; left > 0; left--) {
      const producerId = this.#bytes.readBigInt64BE(this.#at)
      this.#skip(8)
      aborted.push({ producerId, firstOffset: this.#int64() })
      this.#tags(() => undefined)
    }
    return aborted
  }

  /** Tagged fields: each is skipped to its end, whatever `read` took of it. */
  #tags(read: (tag: number) => void): void {
    for (let left = this.#varint(); left > 0; left--) {
      const tag = this.#varint()
      const size = this.#varint()
      const end = this.#skip(size)
      this.#at = end - size
      read(tag)
      this.#at = end
    }
  }

  /** Length of an array, a text or bytes; none counts as empty. */
  #count(): number {
    const count = Math.max(this.#varint() - 1, 0)
    // Nothing has more parts than bytes are left: a broken count must not be walked.
    if (count > this.#bytes.length - this.#at) throw new RangeError(`${count} parts do not fit`)
    return count
  }

  #skip(size: number): number {
    const end = this.#at + size
    if (end > this.#bytes.length) throw new RangeError(`it is cut off at ${this.#bytes.length}`)
    this.#at = end
    return end
  }

  #varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new RangeError('a length has more than five bytes')
  }

  #int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2) - 2)
  }

  #int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4) - 4)
  }

  #int64(): number {
    return readInt64(this.#bytes, this.#skip(8) - 8)
  }
}

/** Of a partition the first two, of the whole answer the last. */
const tags = { divergingEpoch: 0, currentLeader: 1, nodeEndpoints: 0 } as const
