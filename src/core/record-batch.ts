// Kafka's record batch v2 (KIP-98): the header's layout and the encoder every transport shares.

import { crc32c } from './crc32c.ts'
import { brokenInvariant, invariant, TailraceError } from './errors.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

export type TimestampType = 'create' | 'append'

/** Where the fields of a batch's header stand, from its first byte. */
export const headerAt = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61
} as const

export const attributeBits = {
  compression: 0b111,
  appendTime: 0b1000,
  transactional: 0b10000,
  control: 0b100000
} as const

/** Bytes of a batch that its length field does not count: base offset and the length itself. */
export const lengthOverhead = 12
const twoTo32 = 0x1_0000_0000

export interface FinishOptions {
  readonly leaderEpoch?: number
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly timestampType?: TimestampType
  readonly isTransactional?: boolean
  /** When records at the end were compacted away: the delta the batch had before. */
  readonly lastOffsetDelta?: number
}

const noHeaders: readonly RecordHeader[] = []
/** An encoder that is used again keeps a buffer of up to this size. */
const bytesKeptMax = 128 * 1024

/** Grows a batch record by record; one encoder per partition, reusable after `finish`. */
export class BatchEncoder {
  readonly #bytesInitial: number
  #bytes: Buffer
  #end: number = headerAt.records
  #recordCount = 0
  #lastOffsetDelta = -1
  #firstTimestamp = 0
  #maxTimestamp = 0

  constructor(options: { readonly bytesInitial?: number } = {}) {
    this.#bytesInitial = Math.max(options.bytesInitial ?? 4_096, 256)
    this.#bytes = Buffer.allocUnsafeSlow(this.#bytesInitial)
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Bytes the finished batch will have. */
  get sizeBytes(): number {
    return this.#end
  }

  get firstTimestamp(): number {
    return this.#firstTimestamp
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** Copies key, value and headers. Offset deltas count from 0. */
  append(
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    headers: readonly RecordHeader[] = noHeaders
  ): void {
    this.appendAt(this.#lastOffsetDelta + 1, key, value, timestamp, headers)
  }

  /** As `append`, at a delta of its own: compaction keeps the offsets of what it keeps. */
  appendAt(
    offsetDelta: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    headers: readonly RecordHeader[] = noHeaders
  ): void {
    if (this.#recordCount === 0) {
      if (!Number.isSafeInteger(timestamp)) {
        throw brokenInvariant(`a record cannot have the timestamp ${timestamp}`)
      }
      this.#firstTimestamp = timestamp
      this.#maxTimestamp = timestamp
    }
    const timestampDelta = timestamp - this.#firstTimestamp
    const keySize = key === null ? 0 : key.length
    const valueSize = value === null ? 0 : value.length
    const size =
      1 +
      varlongSize(timestampDelta) +
      varintSize(offsetDelta) +
      (key === null ? 1 : varintSize(keySize) + keySize) +
      (value === null ? 1 : varintSize(valueSize) + valueSize) +
      (headers.length === 0 ? 1 : headersSize(headers))
    if (this.#end + size + 5 > this.#bytes.length) this.#grow(size + 5)
    const bytes = this.#bytes
    let at = writeVarint(bytes, this.#end, size)
    bytes[at++] = 0
    at = writeVarlong(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, offsetDelta)
    at = writeBytes(bytes, at, key)
    at = writeBytes(bytes, at, value)
    if (headers.length === 0) bytes[at++] = 0
    else at = writeHeaders(bytes, at, headers)
    this.#end = at
    this.#recordCount++
    this.#lastOffsetDelta = offsetDelta
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /**
   * The finished batch with base offset 0, and a reset encoder. The returned Buffer is the
   * caller's; `setBaseOffset` places it in a log.
   */
  finish(options: FinishOptions = {}): Buffer {
    invariant(this.#recordCount > 0, 'a record batch without records was finished')
    const batch = Buffer.allocUnsafe(this.#end)
    this.#bytes.copy(batch, 0, 0, this.#end)
    const hasAppendTime = options.timestampType === 'append'
    const attributes =
      (hasAppendTime ? attributeBits.appendTime : 0) |
      (options.isTransactional === true ? attributeBits.transactional : 0)
    writeInt64(batch, 0, headerAt.baseOffset)
    batch.writeInt32BE(batch.length - lengthOverhead, headerAt.length)
    batch.writeInt32BE(options.leaderEpoch ?? 0, headerAt.leaderEpoch)
    batch[headerAt.magic] = 2
    batch.writeInt16BE(attributes, headerAt.attributes)
    batch.writeInt32BE(options.lastOffsetDelta ?? this.#lastOffsetDelta, headerAt.lastOffsetDelta)
    writeInt64(batch, this.#firstTimestamp, headerAt.baseTimestamp)
    writeInt64(batch, this.#maxTimestamp, headerAt.maxTimestamp)
    if (options.producerId === undefined) writeInt64(batch, -1, headerAt.producerId)
    else batch.writeBigInt64BE(options.producerId, headerAt.producerId)
    batch.writeInt16BE(options.producerEpoch ?? -1, headerAt.producerEpoch)
    batch.writeInt32BE(options.baseSequence ?? -1, headerAt.baseSequence)
    batch.writeInt32BE(this.#recordCount, headerAt.recordCount)
    writeCrc(batch, 0, batch.length)
    this.reset()
    return batch
  }

  /** Forgets what was appended since the last `finish`. */
  reset(): void {
    this.#end = headerAt.records
    this.#recordCount = 0
    this.#lastOffsetDelta = -1
    this.#firstTimestamp = 0
    this.#maxTimestamp = 0
    // One large record must not keep its size for ever in every encoder that met one.
    if (this.#bytes.length > bytesKeptMax) this.#bytes = Buffer.allocUnsafeSlow(this.#bytesInitial)
  }

  #grow(bytesNeeded: number): void {
    const size = Math.max(this.#bytes.length * 2, this.#end + bytesNeeded)
    if (size >= 0x7fff_ffff) {
      throw brokenInvariant(`a record batch of ${size} bytes is larger than the format holds`)
    }
    const grown = Buffer.allocUnsafeSlow(size)
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
  }
}

/** Patches the base offset (and leader epoch) of a finished batch: both lie outside the CRC. */
export function setBaseOffset(
  batch: Buffer,
  baseOffset: number,
  leaderEpoch?: number,
  at: number = 0
): void {
  writeInt64(batch, baseOffset, at + headerAt.baseOffset)
  if (leaderEpoch !== undefined) batch.writeInt32BE(leaderEpoch, at + headerAt.leaderEpoch)
}

/** The log's own stamp: every record of the batch gets this timestamp. Recomputes the CRC. */
export function setAppendTime(batch: Buffer, timestamp: number, at: number = 0): void {
  const attributes = batch.readInt16BE(at + headerAt.attributes)
  batch.writeInt16BE(attributes | attributeBits.appendTime, at + headerAt.attributes)
  writeInt64(batch, timestamp, at + headerAt.maxTimestamp)
  writeCrc(batch, at, batch.readInt32BE(at + headerAt.length) + lengthOverhead)
}

/** Who sends a batch: what a log checks to take each batch once and in order (KIP-98). */
export interface BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** Stamps a finished batch anew for another producer or place in the sequence. */
export function setProducer(batch: Buffer, producer: BatchProducer, at: number = 0): void {
  batch.writeBigInt64BE(producer.producerId, at + headerAt.producerId)
  batch.writeInt16BE(producer.producerEpoch, at + headerAt.producerEpoch)
  batch.writeInt32BE(producer.baseSequence, at + headerAt.baseSequence)
  writeCrc(batch, at, batch.readInt32BE(at + headerAt.length) + lengthOverhead)
}

/** What the header of one batch says. */
export interface BatchHeader {
  readonly baseOffset: number
  /** The whole batch with its header. */
  readonly sizeBytes: number
  readonly leaderEpoch: number
  readonly isAppendTime: boolean
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

/**
 * Header of the batch at `at`, without reading records or checking their checksum.
 *
 * @throws TAILRACE_TRANSPORT_CORRUPT when it is cut off or not of this format
 */
export function batchHeader(bytes: Buffer, at: number): BatchHeader {
  const sizeBytes = checkedBatchSize(bytes, at)
  const attributes = bytes.readInt16BE(at + headerAt.attributes)
  return {
    baseOffset: readInt64(bytes, at + headerAt.baseOffset),
    sizeBytes,
    leaderEpoch: bytes.readInt32BE(at + headerAt.leaderEpoch),
    isAppendTime: (attributes & attributeBits.appendTime) !== 0,
    isTransactional: (attributes & attributeBits.transactional) !== 0,
    isControl: (attributes & attributeBits.control) !== 0,
    lastOffsetDelta: bytes.readInt32BE(at + headerAt.lastOffsetDelta),
    baseTimestamp: readInt64(bytes, at + headerAt.baseTimestamp),
    maxTimestamp: readInt64(bytes, at + headerAt.maxTimestamp),
    producerId: bytes.readBigInt64BE(at + headerAt.producerId),
    producerEpoch: bytes.readInt16BE(at + headerAt.producerEpoch),
    baseSequence: bytes.readInt32BE(at + headerAt.baseSequence),
    recordCount: bytes.readInt32BE(at + headerAt.recordCount)
  }
}

/** Size of the batch at `at`, after checking that it is whole and of this format. */
export function checkedBatchSize(bytes: Buffer, at: number): number {
  const left = bytes.length - at
  if (left < headerAt.records) {
    throw corruptAt(bytes, at, `its header is cut off after ${left} of ${headerAt.records} bytes`)
  }
  const magic = bytes[at + headerAt.magic]!
  if (magic !== 2) throw corruptAt(bytes, at, `its format is ${magic}; only 2 can be read`)
  const size = bytes.readInt32BE(at + headerAt.length) + lengthOverhead
  if (size < headerAt.records) throw corruptAt(bytes, at, `it claims a length of ${size} bytes`)
  if (size > left) throw corruptAt(bytes, at, `it is cut off after ${left} of ${size} bytes`)
  return size
}

/** The error for a batch that cannot be read, naming the offset it begins at. */
export function corruptAt(bytes: Buffer, at: number, what: string): TailraceError {
  const offset = bytes.length - at >= 8 ? readInt64(bytes, at) : undefined
  const where = offset === undefined ? 'at an unknown offset' : `at offset ${offset}`
  return new TailraceError('TAILRACE_TRANSPORT_CORRUPT', `the record batch ${where}: ${what}`, {
    context: offset === undefined ? {} : { offset }
  })
}

/** A signed 64-bit number as a double: exact for offsets and timestamps, which fit 53 bits. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * twoTo32 + bytes.readUInt32BE(at + 4)
}

function writeInt64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / twoTo32)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(value - high * twoTo32, at + 4)
}

function writeCrc(batch: Buffer, at: number, size: number): void {
  const crc = crc32c(batch, at + headerAt.attributes, at + size)
  batch.writeUInt32BE(crc, at + headerAt.crc)
}

/** Length and content; below this size a loop beats the call of `set`. */
const loopBytesMax = 24

function writeBytes(bytes: Buffer, start: number, content: Uint8Array | null): number {
  if (content === null) {
    bytes[start] = 1
    return start + 1
  }
  const size = content.length
  const at = writeVarint(bytes, start, size)
  if (size > loopBytesMax) bytes.set(content, at)
  else for (let i = 0; i < size; i++) bytes[at + i] = content[i]!
  return at + size
}

function headersSize(headers: readonly RecordHeader[]): number {
  let size = varintSize(headers.length)
  for (const { key, value } of headers) {
    const keySize = Buffer.byteLength(key)
    size += varintSize(keySize) + keySize
    size += value === null ? 1 : varintSize(value.length) + value.length
  }
  return size
}

function writeHeaders(bytes: Buffer, start: number, headers: readonly RecordHeader[]): number {
  let at = writeVarint(bytes, start, headers.length)
  for (const { key, value } of headers) {
    at = writeVarint(bytes, at, Buffer.byteLength(key))
    at += bytes.write(key, at)
    at = writeBytes(bytes, at, value)
  }
  return at
}
