// The records a broker answered for one partition, handed out as deliverable batches: cut tails,
// control batches and aborted transactions are left out, as the Java client's CompletedFetch does.

import {
  attributeBits,
  checkedBatchSize,
  corruptAt,
  headerAt,
  lengthOverhead,
  readInt64
} from '../../core/record-batch.ts'
import { decompressBatch } from './decompress.ts'
import type { AbortedTransaction } from './fetch-answer.ts'

export interface RecordsPart {
  readonly records: Buffer
  /** Where reading stands: the first batch may begin below. */
  readonly position: number
  /** None when uncommitted records are asked for as well. */
  readonly aborted: readonly AbortedTransaction[]
  readonly isReadCommitted: boolean
}

/** Whole batches, and the position after them. */
export interface Portion {
  readonly bytes: Buffer
  readonly nextOffset: number
}

const noBytes: Buffer = Buffer.alloc(0)
const abortMarker = 0

export class DeliverableRecords {
  /** Leader epoch of the last batch that was passed, or -1. */
  leaderEpoch = -1
  readonly #bytes: Buffer
  readonly #isReadCommitted: boolean
  /** Aborted transactions that begin further on, by first offset. */
  readonly #aborted: AbortedTransaction[]
  /** Producers within an aborted transaction right here. */
  readonly #aborting = new Set<bigint>()
  #position: number
  #at = 0

  constructor({ records, position, aborted, isReadCommitted }: RecordsPart) {
    this.#bytes = records
    this.#position = position
    this.#isReadCommitted = isReadCommitted
    // The broker gives them in the order of their ends.
    this.#aborted = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** What batches that need no other memory are views of. */
  get source(): Buffer {
    return this.#bytes
  }

  /** Bytes not yet handed out. */
  get bytesLeft(): number {
    return this.#bytes.length - this.#at
  }

  /** Nothing whole is left. */
  get isEmpty(): boolean {
    return wholeBatchSize(this.#bytes, this.#at) === 0
  }

  /**
   * The next batches, of at most `bytesMax` unless one alone is larger. Empty bytes with a new
   * position say that all that was passed is not for delivery.
   *
   * @throws TAILRACE_TRANSPORT_CORRUPT; what came before the damage is handed out first
   */
  take(bytesMax: number): Portion {
    const pieces = new Pieces(this.#bytes)
    for (;;) {
      const size = wholeBatchSize(this.#bytes, this.#at)
      if (size === 0) break
      if (pieces.bytes > 0 && pieces.bytes + size > bytesMax) break
      try {
        this.#pass(size, pieces)
      } catch (error) {
        if (pieces.bytes === 0) throw error
        break
      }
    }
    return { bytes: pieces.join(), nextOffset: this.#position }
  }

  /** Passes one whole batch, and adds it to `pieces` when it is for delivery. */
  #pass(size: number, pieces: Pieces): void {
    const bytes = this.#bytes
    const at = this.#at
    checkFormat(bytes, at)
    const attributes = bytes.readInt16BE(at + headerAt.attributes)
    const lastOffset = readInt64(bytes, at) + bytes.readInt32BE(at + headerAt.lastOffsetDelta)
    const isDelivered = this.#isDelivered(attributes, lastOffset)
    if (isDelivered && lastOffset >= this.#position) {
      if ((attributes & attributeBits.compression) === 0) pieces.addPlain(at, size)
      else pieces.add(decompressBatch(bytes, at, { size }))
    }
    this.leaderEpoch = bytes.readInt32BE(at + headerAt.leaderEpoch)
    if (lastOffset >= this.#position) this.#position = lastOffset + 1
    this.#at = at + size
  }

  #isDelivered(attributes: number, lastOffset: number): boolean {
    const isControl = (attributes & attributeBits.control) !== 0
    if (!this.#isReadCommitted || (attributes & attributeBits.transactional) === 0) {
      return !isControl
    }
    for (let next = this.#aborted[0]; next !== undefined; next = this.#aborted[0]) {
      if (next.firstOffset > lastOffset) break
      this.#aborting.add(next.producerId)
      this.#aborted.shift()
    }
    if (!isControl && this.#aborting.size === 0) return true
    const producerId = this.#bytes.readBigInt64BE(this.#at + headerAt.producerId)
    if (!isControl) return !this.#aborting.has(producerId)
    if (markerType(this.#bytes, this.#at) === abortMarker) this.#aborting.delete(producerId)
    return false
  }
}

/** Collects batches; those that lie in the answer itself stay there. */
class Pieces {
  readonly #source: Buffer
  /** Runs of the source: begin and end, in turn. Empty once something else was added. */
  readonly #runs: number[] = []
  readonly #parts: Buffer[] = []
  bytes = 0

  constructor(source: Buffer) {
    this.#source = source
  }

  addPlain(at: number, size: number): void {
    this.bytes += size
    if (this.#runs.at(-1) === at) this.#runs[this.#runs.length - 1] = at + size
    else this.#runs.push(at, at + size)
  }

  add(batch: Buffer): void {
    this.#settleRuns()
    this.bytes += batch.length
    this.#parts.push(batch)
  }

  join(): Buffer {
    if (this.#parts.length === 0) return this.#joinRuns()
    this.#settleRuns()
    return this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
  }

  #settleRuns(): void {
    const run = this.#joinRuns()
    this.#runs.length = 0
    if (run.length > 0) this.#parts.push(run)
  }

  /** Moves the runs together, over what lies between them: the answer is ours alone. */
  #joinRuns(): Buffer {
    const [start, firstEnd] = this.#runs
    if (start === undefined || firstEnd === undefined) return noBytes
    let end = firstEnd
    for (let i = 2; i < this.#runs.length; i += 2) {
      end += this.#source.copy(this.#source, end, this.#runs[i]!, this.#runs[i + 1]!)
    }
    return this.#source.subarray(start, end)
  }
}

const magicReadable = 2

/** Size of the batch at `at` when all of it is there, else 0: a broker cuts where its limit is. */
function wholeBatchSize(bytes: Buffer, at: number): number {
  const left = bytes.length - at
  if (left <= headerAt.magic) return 0
  // Checked before the size: an old message may be shorter than the header of a batch.
  if (bytes[at + headerAt.magic]! < magicReadable) return left
  if (left < headerAt.records) return 0
  const size = bytes.readInt32BE(at + headerAt.length) + lengthOverhead
  // A size that cannot be is damage, not a cut: it is refused when it is looked at.
  return size < headerAt.records ? left : size > left ? 0 : size
}

function checkFormat(bytes: Buffer, at: number): void {
  const magic = bytes[at + headerAt.magic]!
  if (magic >= magicReadable) {
    checkedBatchSize(bytes, at)
    return
  }
  const what = `it has message format ${magic}, from before Kafka 0.11; only format 2 can be read`
  throw corruptAt(bytes, at, what)
}

/** The type in the key of the one record that a control batch has: 0 for abort, 1 for commit. */
function markerType(bytes: Buffer, batchAt: number): number {
  let at = batchAt + headerAt.records
  const skipVarint = (): void => {
    while (bytes[at++]! >= 0x80);
  }
  // Length, attributes, timestamp delta, offset delta, length of the key, version of the key.
  skipVarint()
  at++
  skipVarint()
  skipVarint()
  skipVarint()
  return bytes.readInt16BE(at + 2)
}
