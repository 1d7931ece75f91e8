// Turns a compressed record batch into the plain batch it stands for, with a bound on its size.

import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { crc32c } from '../../core/crc32c.ts'
import { messageOf, type TailraceError } from '../../core/errors.ts'
import { attributeBits, corruptAt, headerAt, lengthOverhead } from '../../core/record-batch.ts'
import { compressionsAlgorithms } from './library.ts'

/**
 * Bytes that one batch may grow to. A batch on the wire has 1 MB by default; what grows to more
 * than a hundred times that was made to fill memory.
 */
const batchBytesMax: number = 128 * 1024 * 1024

/**
 * The batch at `at`, with its records as they were before compression, in memory of its own.
 *
 * @throws TAILRACE_TRANSPORT_CORRUPT when its bytes are damaged, or grow beyond `bytesMax`
 */
export function decompressBatch(
  bytes: Buffer,
  at: number,
  { size, bytesMax = batchBytesMax }: { readonly size: number; readonly bytesMax?: number }
): Buffer {
  // Before its bytes are trusted to a decoder; the plain batch gets a checksum of its own.
  const crc = crc32c(bytes, at + headerAt.attributes, at + size)
  if (bytes.readUInt32BE(at + headerAt.crc) !== crc) {
    throw corruptAt(bytes, at, 'its checksum does not match its bytes')
  }
  const attributes = bytes.readInt16BE(at + headerAt.attributes)
  const records = decode(bytes, at, {
    size,
    bytesMax,
    codec: attributes & attributeBits.compression
  })
  const batch = Buffer.allocUnsafeSlow(headerAt.records + records.length)
  bytes.copy(batch, 0, at, at + headerAt.records)
  records.copy(batch, headerAt.records)
  batch.writeInt32BE(batch.length - lengthOverhead, headerAt.length)
  batch.writeInt16BE(attributes & ~attributeBits.compression, headerAt.attributes)
  batch.writeUInt32BE(crc32c(batch, headerAt.attributes), headerAt.crc)
  return batch
}

interface Compressed {
  readonly size: number
  readonly bytesMax: number
  readonly codec: number
}

function decode(bytes: Buffer, at: number, { size, bytesMax, codec }: Compressed): Buffer {
  const algorithm = algorithms.get(codec)
  if (algorithm === undefined) throw corruptAt(bytes, at, `its compression ${codec} is not known`)
  const { name, decompress } = algorithm
  const records = bytes.subarray(at + headerAt.records, at + size)
  try {
    const plain = decompress(records, bytesMax)
    if (plain.length <= bytesMax) return plain
  } catch (error) {
    if (!isTooLarge(error)) {
      throw corruptAt(bytes, at, `its ${name} bytes cannot be read: ${messageOf(error)}`)
    }
  }
  throw tooLarge(bytes, at, bytesMax)
}

function tooLarge(bytes: Buffer, at: number, bytesMax: number): TailraceError {
  return corruptAt(bytes, at, `decompressed it is larger than ${bytesMax} bytes`)
}

// Reading beyond the end of the bytes is a RangeError as well, with a code of its own.
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof RangeError)) return false
  return !('code' in error) || error.code === 'ERR_BUFFER_TOO_LARGE'
}

interface Algorithm {
  readonly name: string
  /** May throw a RangeError for more than `bytesMax`; any other error means damage. */
  readonly decompress: (bytes: Buffer, bytesMax: number) => Buffer
}

/** By the number that a batch's attributes carry. */
const algorithms: ReadonlyMap<number, Algorithm> = new Map<number, Algorithm>([
  [1, { name: 'gzip', decompress: (bytes, max) => gunzipSync(bytes, { maxOutputLength: max }) }],
  [2, { name: 'snappy', decompress: decompressSnappy }],
  [3, { name: 'lz4', decompress: decompressLz4 }],
  [
    4,
    {
      name: 'zstd',
      decompress: (bytes, max) => zstdDecompressSync(bytes, { maxOutputLength: max })
    }
  ]
])

/** Magic, version and compatible version of the framing that Java's snappy stream writes. */
const xerial = { magic: Buffer.from('\x82SNAPPY\0', 'latin1'), headBytes: 16 } as const

function decompressSnappy(bytes: Buffer, bytesMax: number): Buffer {
  if (!bytes.subarray(0, xerial.magic.length).equals(xerial.magic)) {
    return decompressSnappyBlock(bytes, bytesMax)
  }
  const blocks: Buffer[] = []
  let left = bytesMax
  for (let at: number = xerial.headBytes; at < bytes.length; ) {
    const start = at + 4
    const end = start + bytes.readInt32BE(at)
    if (end <= start || end > bytes.length) throw new Error(`a block ends at ${end}`)
    const block = decompressSnappyBlock(bytes.subarray(start, end), left)
    blocks.push(block)
    left -= block.length
    at = end
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}

function decompressSnappyBlock(bytes: Buffer, bytesMax: number): Buffer {
  // A block begins with its plain size, so that nothing need be made to know it.
  let size = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i]
    if (byte === undefined) break
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) break
  }
  if (size > bytesMax) throw new RangeError('too large')
  return compressionsAlgorithms.snappy.decompressSync(bytes)
}

const lz4 = { magic: 0x184d2204, ratioMax: 255, plainBit: 0x8000_0000 } as const

function decompressLz4(bytes: Buffer, bytesMax: number): Buffer {
  if (lz4BytesMax(bytes) > bytesMax) throw new RangeError('too large')
  return compressionsAlgorithms.lz4.decompressSync(bytes)
}

/** What the blocks of an LZ4 frame can hold at most, by their sizes alone. */
function lz4BytesMax(bytes: Buffer): number {
  if (bytes.readUInt32LE(0) !== lz4.magic) throw new Error('it does not begin as an LZ4 frame')
  const flags = bytes.readUInt8(4)
  const blockMax = 2 ** (2 * ((bytes.readUInt8(5) >>> 4) & 7) + 8)
  const hasBlockChecksum = (flags & 0x10) !== 0
  // Magic, flags, block size and header checksum; content size and dictionary id where flagged.
  let at = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0)
  let total = 0
  while (at + 4 <= bytes.length) {
    const head = bytes.readUInt32LE(at)
    if (head === 0) break
    const size = head & ~lz4.plainBit
    total += head >= lz4.plainBit ? size : Math.min(blockMax, size * lz4.ratioMax)
    at += 4 + size + (hasBlockChecksum ? 4 : 0)
  }
  return total
}
