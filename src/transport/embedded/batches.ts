// Reads whole record batches out of segment files, in portions.

import { crc32c } from '../../core/crc32c.ts'
import { headerAt, lengthOverhead, readInt64 } from '../../core/record-batch.ts'
import type { SegmentFiles, SegmentId } from './segments.ts'
import { segmentLost } from './segments.ts'

export interface Portion {
  /** Whole batches, at least one. */
  readonly bytes: Buffer
  /** Where in the file they begin. */
  readonly position: number
}

export interface SegmentRange {
  readonly segment: SegmentId
  readonly from: number
  /** A committed end: what may lie beyond it is nobody's. */
  readonly to: number
}

/** Bytes of a portion unless asked otherwise; a larger batch comes alone and whole. */
const portionBytes = 1024 * 1024

/**
 * Portions of a segment, one after the other.
 *
 * @throws TAILRACE_TRANSPORT_CORRUPT after everything before the damage was given
 */
export function* readBatches(
  files: SegmentFiles,
  { segment, from, to }: SegmentRange,
  bytesMax: number = portionBytes
): Generator<Portion, void, void> {
  let position = from
  while (position < to) {
    const bytes = readPortion(files, { segment, from: position, to }, bytesMax)
    yield { bytes, position }
    position += bytes.length
  }
}

/** The whole batches that the `bytesMax` bytes at `from` begin with; none when one is larger. */
export function readWhole(files: SegmentFiles, range: SegmentRange, bytesMax: number): Buffer {
  const { segment, from, to } = range
  const bytes = readExactly(files, segment, Math.min(bytesMax, to - from), from)
  return bytes.subarray(0, wholeBytes(bytes))
}

/** As `readWhole`, but a first batch that is larger comes alone. Never empty. */
export function readPortion(files: SegmentFiles, range: SegmentRange, bytesMax: number): Buffer {
  const bytes = readWhole(files, range, bytesMax)
  if (bytes.length > 0) return bytes
  const { segment, from, to } = range
  const left = to - from
  const header = readExactly(files, segment, Math.min(headerAt.records, left), from)
  const size = left < headerAt.records ? left + 1 : batchSize(header, 0)
  if (size < headerAt.records || size > left) {
    const what = `has ${left} bytes left at ${from}, and the batch there claims ${size}`
    throw segmentLost(files.path(segment), what)
  }
  return readExactly(files, segment, size, from)
}

function readExactly(
  files: SegmentFiles,
  segment: SegmentId,
  size: number,
  position: number
): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  const read = files.read(segment, bytes, position)
  if (read === size) return bytes
  throw segmentLost(files.path(segment), `ends at ${position + read} before its committed end`)
}

/** Length of the whole batches that `bytes` begins with. */
function wholeBytes(bytes: Buffer): number {
  let at = 0
  while (bytes.length - at >= headerAt.records) {
    const size = bytes.readInt32BE(at + headerAt.length) + lengthOverhead
    if (size < headerAt.records || size > bytes.length - at) break
    at += size
  }
  return at
}

/** Where each batch of whole batches begins. */
export function* batchStarts(bytes: Buffer): Generator<number, void, void> {
  for (let at = 0; at < bytes.length; at += batchSize(bytes, at)) yield at
}

export function batchSize(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + headerAt.length) + lengthOverhead
}

/** The offset after the last record that the batch at `at` had when it was written. */
export function offsetAfter(bytes: Buffer, at: number): number {
  const base = readInt64(bytes, at + headerAt.baseOffset)
  return base + bytes.readInt32BE(at + headerAt.lastOffsetDelta) + 1
}

/** Place of the batch that holds `offset`, or of the first one after it; else the end. */
export function findBatch(bytes: Buffer, offset: number): number {
  for (const at of batchStarts(bytes)) if (offsetAfter(bytes, at) > offset) return at
  return bytes.length
}

export function isIntact(bytes: Buffer, at: number): boolean {
  const end = at + batchSize(bytes, at)
  return (
    bytes.readUInt32BE(at + headerAt.crc) === crc32c(bytes, at + headerAt.attributes, end) &&
    bytes[at + headerAt.magic] === 2
  )
}
