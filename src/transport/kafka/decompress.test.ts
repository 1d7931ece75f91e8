// Compressed batches read as the plain ones they stand for, and never fill memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { BatchCursor } from '../../core/batch-cursor.ts'
import { crc32c } from '../../core/crc32c.ts'
import { hasCode } from '../../core/errors.ts'
import { BatchEncoder, headerAt, lengthOverhead, setBaseOffset } from '../../core/record-batch.ts'
import { decompressBatch } from './decompress.ts'
import { compressionsAlgorithms } from './library.ts'

const values = Array.from({ length: 200 }, (_, i) => `value ${i} ${'x'.repeat(i % 50)}`)

function plainBatch(): Buffer {
  const encoder = new BatchEncoder()
  for (const value of values) encoder.append(Buffer.from('key'), Buffer.from(value), 5)
  const bytes = encoder.finish()
  setBaseOffset(bytes, 1_000, 4)
  return bytes
}

function compressed(codec: number, compress: (bytes: Buffer) => Buffer): Buffer {
  const plain = plainBatch()
  const records = compress(plain.subarray(headerAt.records))
  const batch = Buffer.concat([plain.subarray(0, headerAt.records), records])
  batch.writeInt32BE(batch.length - lengthOverhead, headerAt.length)
  batch.writeInt16BE(codec, headerAt.attributes)
  batch.writeUInt32BE(crc32c(batch, headerAt.attributes), headerAt.crc)
  return batch
}

/** As Java's snappy stream frames its blocks. */
function xerial(bytes: Buffer): Buffer {
  const head = Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1')
  const parts: Buffer[] = [head]
  for (let at = 0; at < bytes.length; at += 1_024) {
    const block = compressionsAlgorithms.snappy.compressSync(bytes.subarray(at, at + 1_024))
    const size = Buffer.alloc(4)
    size.writeInt32BE(block.length)
    parts.push(size, block)
  }
  return Buffer.concat(parts)
}

const codecs: readonly (readonly [string, number, (bytes: Buffer) => Buffer])[] = [
  ['gzip', 1, (bytes) => gzipSync(bytes)],
  ['snappy', 2, (bytes) => compressionsAlgorithms.snappy.compressSync(bytes)],
  ['snappy in blocks', 2, xerial],
  ['lz4', 3, (bytes) => compressionsAlgorithms.lz4.compressSync(bytes)],
  ['zstd', 4, (bytes) => zstdCompressSync(bytes)]
]

for (const [name, codec, compress] of codecs) {
  test(`${name}: the plain batch comes back, byte for byte`, () => {
    const batch = compressed(codec, compress)
    // Not at the begin of its buffer, as in an answer.
    const answer = Buffer.concat([Buffer.alloc(13), batch, Buffer.alloc(7)])
    const plain = decompressBatch(answer, 13, { size: batch.length })
    assert.deepEqual(plain, plainBatch())
    const cursor = new BatchCursor()
    cursor.reset(plain, 0)
    assert.ok(cursor.next())
    assert.deepEqual([cursor.offset, cursor.value()?.toString()], [1_000, values[0]])
  })

  test(`${name}: bytes that grow beyond the bound are refused`, () => {
    const batch = compressed(codec, compress)
    const bytes = plainBatch().length - headerAt.records
    assert.throws(
      () => decompressBatch(batch, 0, { size: batch.length, bytesMax: bytes - 1 }),
      /the record batch at offset 1000: decompressed it is larger than \d+ bytes/
    )
  })

  test(`${name}: damage is refused by the checksum, or by what decodes it`, () => {
    const batch = compressed(codec, compress)
    const at = headerAt.records + 20
    const flipped = Buffer.from(batch)
    flipped[at] = (flipped[at] ?? 0) ^ 0xff
    const size = batch.length
    assert.throws(() => decompressBatch(flipped, 0, { size }), /its checksum does not match/)
    const garbage = compressed(codec, () => Buffer.from('not what it says it is'))
    assert.throws(
      () => decompressBatch(garbage, 0, { size: garbage.length }),
      (error) => hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT') && error.context['offset'] === 1_000
    )
  })
}

test('a bomb of zeros is refused without being made', () => {
  const zeros = Buffer.alloc(8 * 1024 * 1024)
  for (const [name, codec, compress] of codecs) {
    const batch = compressed(codec, () => compress(zeros))
    assert.throws(
      () => decompressBatch(batch, 0, { size: batch.length, bytesMax: 1024 * 1024 }),
      /decompressed it is larger than 1048576 bytes/,
      name
    )
  }
})

test('bytes that end too early are damaged, and not too large', () => {
  for (const [name, codec] of codecs) {
    const batch = compressed(codec, () => Buffer.alloc(3))
    const size = batch.length
    assert.throws(() => decompressBatch(batch, 0, { size }), /bytes cannot be read/, name)
  }
})

test('a compression that nobody knows is named', () => {
  const batch = compressed(5, (bytes) => bytes)
  assert.throws(
    () => decompressBatch(batch, 0, { size: batch.length }),
    /its compression 5 is not known/
  )
})
