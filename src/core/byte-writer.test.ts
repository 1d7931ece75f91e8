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

test('numbers and bytes', () => {
  const writer = new ByteWriter(1)
  writer.byte(7)
  writer.uint32(0xfedc_ba98)
  writer.double(-1.5)
  writer.bytes(Buffer.alloc(300, 1))
  const bytes = writer.view(0, writer.length)
  assert.equal(bytes[0], 7)
  assert.equal(bytes.readUInt32BE(1), 0xfedc_ba98)
  assert.equal(bytes.readDoubleBE(5), -1.5)
  assert.deepEqual(Buffer.from(bytes.subarray(13)), Buffer.alloc(300, 1))
})
