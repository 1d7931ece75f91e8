// The texts of a record are what Node makes of the same bytes, in whatever order they are read.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RecordTexts } from './text-slice.ts'

const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 20 }))

test('pieces of a record, with and without a text of all of it', () => {
  // One for all records, as a topic has it: nothing of one may show in the next.
  const texts = new RecordTexts()
  const bytes = Buffer.alloc(4_096)
  fc.assert(
    fc.property(text, text, fc.boolean(), (key, value, hasAscii) => {
      const keyEnd = 7 + bytes.write(key, 7)
      const start = keyEnd + 2
      const end = start + bytes.write(`${value}"ascii"`, start)
      texts.open(bytes, 7, end)
      if (hasAscii) assert.equal(texts.ascii(end - 6, end - 1), 'ascii')
      assert.equal(texts.utf8(7, keyEnd), bytes.toString('utf8', 7, keyEnd))
      assert.equal(texts.utf8(start, end), bytes.toString('utf8', start, end))
      assert.equal(texts.utf8(keyEnd, keyEnd), '')
    }),
    { numRuns: 2_000 }
  )
})
