// What is written one after the other stands there as Node would have written it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from './byte-writer.ts'

test('any text is written as its UTF-8, however much came before', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 200 })), (texts) => {
      const writer = new ByteWriter(1)
      for (const text of texts) writer.text(text)
      const expected = Buffer.concat(texts.map((text) => Buffer.from(text)))
      assert.deepEqual(Buffer.from(writer.view(0, writer.length)), expected)
    })
  )
})

test('half of a surrogate pair becomes the replacement character', () => {
  const writer = new ByteWriter(1)
  writer.text('a\ud800')
  assert.deepEqual(Buffer.from(writer.view(0, writer.length)), Buffer.from('a\ufffd'))
})

test('integers are written in digits', () => {
  const edges = [0, -0, 9, 10, 99_999_999, 100_000_000, 100_000_001, 1_700_000_000_000]
  const integers = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(...edges))
  fc.assert(
    fc.property(integers, (value) => {
      const writer = new ByteWriter(1)
      for (const one of [value, -value]) writer.integer(one)
      const text = writer.view(0, writer.length).toString()
      assert.equal(text, `${value}${-value}`)
    }),
    { numRuns: 5_000 }
  )
})

test('numbers and bytes', () => {
  const writer = new ByteWriter(1)
  writer.byte(7)
  writer.bytes(Buffer.from([8, 9]))
  writer.double(-1.5)
  writer.bytes(Buffer.alloc(300, 1))
  const bytes = writer.view(0, writer.length)
  assert.deepEqual([...bytes.subarray(0, 3)], [7, 8, 9])
  assert.equal(bytes.readDoubleBE(3), -1.5)
  assert.deepEqual(Buffer.from(bytes.subarray(11)), Buffer.alloc(300, 1))
})
