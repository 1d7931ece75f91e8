// Reads record batches v2 lazily: one cursor walks all records without allocating for each.

import { crc32c } from './crc32c.ts'
import type { RecordHeader } from './record-batch.ts'
import { attributeBits, checkedBatchSize, corruptAt, headerAt, readInt64 } from './record-batch.ts'
import { readVarlong, varintLength } from './varint.ts'

const noBytes: Buffer = Buffer.alloc(0)
const noHeaders: readonly RecordHeader[] = []

/** Walks records of consecutive batches. Control batches (transaction markers) are skipped. */
export class BatchCursor {
  /** Of the current record; all fields below are only to be read. */
  offset = -1
  timestamp = -1
  bytes: Buffer = noBytes
  /** Place of the key in `bytes`; -1 when it is null. */
  keyStart = -1
  keyEnd = -1
  /** Place of the value in `bytes`; -1 when it is null. */
  valueStart = -1
  valueEnd = -1

  #fromOffset = 0
  /** Where the next record begins. */
  #at = 0
  #batchAt = 0
  #batchEnd = 0
  #recordsLeft = 0
  #baseOffset = 0
  #baseTimestamp = 0
  #appendTimestamp = 0
  #hasAppendTime = false
  #headersAt = 0
  #recordEnd = 0

  /** Begins at the first record with offset >= fromOffset. A batch's CRC is checked on entry. */
  reset(bytes: Buffer, fromOffset: number): void {
    this.bytes = bytes
    this.#fromOffset = fromOffset
    this.#at = 0
    this.#batchAt = 0
    this.#batchEnd = 0
    this.#recordsLeft = 0
  }

  /**
   * Moves to the next record; false at the end.
   *
   * @throws TAILRACE_TRANSPORT_CORRUPT
   */
  next(): boolean {
    do {
      while (this.#recordsLeft === 0) if (!this.#enterBatch()) return false
      this.#parseRecord()
    } while (this.offset < this.#fromOffset)
    return true
  }

  /** Another cursor on the same record; it stays there when this one moves on. */
  copy(): BatchCursor {
    const copy = new BatchCursor()
    copy.offset = this.offset
    copy.timestamp = this.timestamp
    copy.bytes = this.bytes
    copy.keyStart = this.keyStart
    copy.keyEnd = this.keyEnd
    copy.valueStart = this.valueStart
    copy.valueEnd = this.valueEnd
    copy.#batchAt = this.#batchAt
    copy.#headersAt = this.#headersAt
    copy.#recordEnd = this.#recordEnd
    return copy
  }

  /** A view of the key, not a copy. */
  key(): Buffer | null {
    return this.keyStart < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd)
  }

  /** A view of the value, not a copy. */
  value(): Buffer | null {
    return this.valueStart < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd)
  }

  /** Headers of the current record, parsed when asked for; values are copies. */
  headers(): readonly RecordHeader[] {
    if (this.bytes[this.#headersAt] === 0) return noHeaders
    const next = this.#at
    this.#at = this.#headersAt
    const count = this.#readInt()
    if (count < 0 || count > this.#recordEnd - this.#at) throw this.#corrupt('its header count')
    const headers: RecordHeader[] = []
    for (let i = 0; i < count; i++) {
      const keyEnd = this.#readInt() + this.#at
      if (keyEnd < this.#at || keyEnd >= this.#recordEnd) throw this.#corrupt('a header key')
      const key = this.bytes.toString('utf8', this.#at, keyEnd)
      this.#at = keyEnd
      const size = this.#readInt()
      const valueEnd = size < 0 ? this.#at : this.#at + size
      if (valueEnd > this.#recordEnd) throw this.#corrupt('a header value')
      const value = size < 0 ? null : Buffer.from(this.bytes.subarray(this.#at, valueEnd))
      headers.push({ key, value })
      this.#at = valueEnd
    }
    this.#at = next
    return headers
  }

  /** Goes to the next batch that can hold a record to deliver; false when there is none. */
  #enterBatch(): boolean {
    const bytes = this.bytes
    while (this.#batchEnd < bytes.length) {
      const at = this.#batchEnd
      const size = checkedBatchSize(bytes, at)
      this.#batchAt = at
      this.#batchEnd = at + size
      const baseOffset = readInt64(bytes, at + headerAt.baseOffset)
      const lastOffsetDelta = bytes.readInt32BE(at + headerAt.lastOffsetDelta)
      if (baseOffset + lastOffsetDelta < this.#fromOffset) continue
      if (
        bytes.readUInt32BE(at + headerAt.crc) !== crc32c(bytes, at + headerAt.attributes, at + size)
      ) {
        throw corruptAt(bytes, at, 'its checksum does not match its bytes')
      }
      const attributes = bytes.readInt16BE(at + headerAt.attributes)
      if ((attributes & attributeBits.control) !== 0) continue
      if ((attributes & attributeBits.compression) !== 0) {
        throw corruptAt(bytes, at, 'it is compressed, which cannot be read yet')
      }
      const recordCount = bytes.readInt32BE(at + headerAt.recordCount)
      if (recordCount < 0) throw corruptAt(bytes, at, `it claims ${recordCount} records`)
      this.#at = at + headerAt.records
      this.#recordsLeft = recordCount
      this.#baseOffset = baseOffset
      this.#baseTimestamp = readInt64(bytes, at + headerAt.baseTimestamp)
      this.#appendTimestamp = readInt64(bytes, at + headerAt.maxTimestamp)
      this.#hasAppendTime = (attributes & attributeBits.appendTime) !== 0
      return true
    }
    return false
  }

  /** Length, attributes, timestamp delta, offset delta, key, value; headers are left for later. */
  #parseRecord(): void {
    const size = this.#readInt()
    const end = this.#at + size
    if (size < 6 || end > this.#batchEnd) throw this.#corrupt('the length of a record')
    this.#at++
    const timestampDelta = this.#readLong()
    this.timestamp = this.#hasAppendTime
      ? this.#appendTimestamp
      : this.#baseTimestamp + timestampDelta
    this.offset = this.#baseOffset + this.#readInt()
    const keySize = this.#readInt()
    this.keyStart = keySize < 0 ? -1 : this.#at
    this.keyEnd = keySize < 0 ? -1 : this.#at + keySize
    if (keySize > 0) this.#at += keySize
    if (this.#at > end) throw this.#corrupt('the length of a key')
    const valueSize = this.#readInt()
    this.valueStart = valueSize < 0 ? -1 : this.#at
    this.valueEnd = valueSize < 0 ? -1 : this.#at + valueSize
    if (valueSize > 0) this.#at += valueSize
    if (this.#at >= end) throw this.#corrupt('the length of a value')
    this.#headersAt = this.#at
    this.#recordEnd = end
    this.#at = end
    this.#recordsLeft--
    if (this.#recordsLeft === 0 && end !== this.#batchEnd) throw this.#corrupt('its record count')
  }

  #readInt(): number {
    const byte = this.bytes[this.#at]!
    if (byte < 0x80) {
      this.#at++
      return (byte >>> 1) ^ -(byte & 1)
    }
    return this.#readWideInt()
  }

  /** A varint of two to five bytes. */
  #readWideInt(): number {
    const bytes = this.bytes
    let zigzag = 0
    for (let i = 0; i < 5; i++) {
      const byte = bytes[this.#at + i]
      if (byte === undefined) break
      zigzag |= (byte & 0x7f) << (7 * i)
      if (byte < 0x80) {
        this.#at += i + 1
        return (zigzag >>> 1) ^ -(zigzag & 1)
      }
    }
    throw this.#corrupt('a number in a record')
  }

  #readLong(): number {
    const bytes = this.bytes
    const length = varintLength(bytes, this.#at, this.#batchEnd)
    // Four bytes hold 28 bits: five could lose some in 32-bit arithmetic.
    if (length > 0 && length < 5) return this.#readInt()
    if (length === 0) throw this.#corrupt('a timestamp in a record')
    const value = readVarlong(bytes, this.#at, this.#batchEnd)
    this.#at += length
    return value
  }

  #corrupt(what: string): Error {
    return corruptAt(this.bytes, this.#batchAt, `${what} does not fit its bytes`)
  }
}
