// Fields of messages, written and read again, whole and cut off.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireReader, WireWriter } from './produce-wire.ts'

test('what is written is read, at the edges of every type', () => {
  const varints = [0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1]
  const offsets = [0, -1, 2 ** 32, -(2 ** 40) - 1, Number.MAX_SAFE_INTEGER]
  const texts = [null, '', 'é', 'x'.repeat(1_000)]
  const writer = new WireWriter()
    .int8(-1)
    .int16(-2)
    .int32(-3)
    .bigint64(-(2n ** 63n))
  for (const value of varints) writer.varint(value)
  for (const value of offsets) writer.int64(value)
  for (const value of texts) writer.text(value)
  writer.list(['a', 'b'], (item) => writer.text(item))
  const reader = new WireReader(writer.boolean(true).end().take())
  assert.deepEqual([reader.int8(), reader.int16(), reader.int32()], [-1, -2, -3])
  assert.equal(reader.bigint64(), -(2n ** 63n))
  assert.deepEqual(
    varints.map(() => reader.varint()),
    varints
  )
  assert.deepEqual(
    offsets.map(() => reader.int64()),
    offsets
  )
  assert.deepEqual(
    texts.map(() => reader.text()),
    texts
  )
  assert.deepEqual(
    reader.list(() => reader.text()),
    ['a', 'b']
  )
  assert.equal(reader.int8(), 1)
  reader.end()
})

test('tagged fields are read where they are known, and skipped where not', () => {
  const field = new WireWriter().int32(7).take()
  const writer = new WireWriter().varint(2)
  for (const tag of [0, 9]) {
    writer.varint(tag).varint(field.length)
    for (const byte of field) writer.int8(byte)
  }
  const bytes = writer.int16(5).take()
  const known: number[] = []
  const reader = new WireReader(bytes)
  reader.end((tag, value) => known.push(tag, value.int32()))
  assert.deepEqual(known, [0, 7, 9, 7])
  assert.equal(reader.int16(), 5)
  const skipping = new WireReader(bytes)
  skipping.end()
  assert.equal(skipping.int16(), 5)
})

test('an answer that is cut off, or claims more than it has, is corrupt', () => {
  const corrupt = { code: 'TAILRACE_TRANSPORT_CORRUPT' }
  const bytes = new WireWriter().text('abc').take()
  assert.throws(() => new WireReader(bytes.subarray(0, 2)).text(), corrupt)
  assert.throws(() => new WireReader(Buffer.alloc(3)).int32(), corrupt)
  assert.throws(() => new WireReader(Buffer.alloc(9, 0xff)).varint(), corrupt)
  const list = new WireWriter().varint(1_000_000).take()
  assert.throws(() => new WireReader(list).list(() => 1), corrupt)
})
