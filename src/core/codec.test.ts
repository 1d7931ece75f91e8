// Codecs: what is written is read back, and what is dangerous or not theirs is refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { binary, type Codec, json, pipe, raw, string } from './codec.ts'
import { hasCode } from './errors.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const bytes = (written: string): Buffer => Buffer.from(written)

test('any JSON value reads back as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      // JSON has one zero.
      const expected: unknown = JSON.parse(JSON.stringify(value))
      let read: unknown
      try {
        read = json.decode(json.encode(value))
      } catch (error) {
        // Random keys can be the refused ones.
        assert.ok(hasCode(error, 'TAILRACE_SCHEMA_UNSAFE_KEY'), String(error))
        return
      }
      assert.deepEqual(read, expected)
    })
  )
})

test('keys that could poison a prototype are refused, however they are spelled', () => {
  const dangerous = [
    '{"__proto__":{"x":1}}',
    '{"a":[{"__proto__":1}]}',
    '{"\\u005f\\u005fproto\\u005f\\u005f":1}',
    '{"constructor":{"prototype":{"x":1}}}',
    `${'[{"a":'.repeat(2_000)}{"__proto__":1}${'}]'.repeat(2_000)}`
  ]
  for (const written of dangerous) {
    assert.throws(
      () => json.decode(bytes(written)),
      (error) => hasCode(error, 'TAILRACE_SCHEMA_UNSAFE_KEY'),
      written.slice(0, 80)
    )
  }
  assert.deepEqual(json.decode(bytes('{"constructor":"Ford"}')), { constructor: 'Ford' })
  assert.deepEqual(json.decode(bytes('["__proto__","\\u00e9"]')), ['__proto__', 'é'])
  assert.equal(Object.prototype.hasOwnProperty.call({}, 'x'), false)
})

test('broken JSON fails with the words of JSON, also where a key looks dangerous', () => {
  assert.throws(() => json.decode(bytes('{"a":')), SyntaxError)
  assert.throws(() => json.decode(bytes('{"__proto__":')), SyntaxError)
  assert.throws(() => json.decode(bytes('')), SyntaxError)
})

test('JSON refuses what it has no word for', () => {
  for (const value of [undefined, () => 1, Symbol('a'), 1n]) {
    assert.throws(() => json.encode(value), TypeError)
  }
})

test('JSON refuses to write what it would read otherwise', () => {
  for (const value of [
    Number.NaN,
    { sum: 0 / 0 },
    [1, [Infinity]],
    [undefined],
    { a: [null, -1 / 0] }
  ]) {
    assert.throws(() => json.encode(value), TypeError)
  }
  for (const written of ['{"__proto__":{"x":1}}', '{"a":[{"constructor":{"prototype":1}}]}']) {
    const value: unknown = JSON.parse(written)
    assert.throws(
      () => json.encode(value),
      (error) => hasCode(error, 'TAILRACE_SCHEMA_UNSAFE_KEY'),
      written
    )
  }
  for (const value of [
    null,
    { a: null, b: 'constructor' },
    ['null', '__proto__'],
    { a: undefined }
  ]) {
    assert.deepEqual(json.decode(json.encode(value)), JSON.parse(JSON.stringify(value)))
  }
})

test('text is UTF-8', () => {
  assert.equal(text(string.encode('añ日🎈')), 'añ日🎈')
  assert.equal(string.decode(bytes('añ日🎈')), 'añ日🎈')
  assert.equal(string.decode(bytes('xxkeyxx').subarray(2, 5)), 'key')
  assert.throws(() => string.encode(1 as never), /expected a string, got number/)
})

test('raw bytes are copied when read: the buffer they lie in is used again', () => {
  const buffer = bytes('abc')
  const read = raw.decode(buffer.subarray(1))
  buffer.fill(0)
  assert.deepEqual([...read], [98, 99])
  assert.equal(raw.decode(bytes('')).length, 0)
  assert.equal(text(raw.encode('abc' as never)), 'abc')
  assert.throws(() => raw.encode({} as never), /expected bytes or a string/)
})

test('raw bytes are copied when written: who sends them fills the same buffer again', () => {
  const scratch = bytes('abc')
  const written = raw.encode(scratch)
  scratch.fill(0)
  assert.equal(text(written), 'abc')
})

test('binary is base64 as RFC 4648 has it', () => {
  const vectors = ['', 'Zg==', 'Zm8=', 'Zm9v', 'Zm9vYg==', 'Zm9vYmE=', 'Zm9vYmFy']
  vectors.forEach((written, length) => {
    const value = Buffer.from('foobar').subarray(0, length)
    assert.equal(text(binary.encode(value)), written)
    assert.deepEqual([...binary.decode(bytes(written))], [...value])
  })
  assert.throws(() => binary.decode(bytes('not base64!')), /not base64 text/)
  assert.throws(() => binary.encode('text' as never), /expected bytes, got string/)
})

test('codecs compose: the first writes, the others follow, reading goes back', () => {
  const flip: Codec<Uint8Array> = {
    name: 'flip',
    encode: (value) => value.map((byte) => byte ^ 255),
    decode: (value) => value.map((byte) => byte ^ 255)
  }
  const piped = pipe(json, flip, binary)
  assert.equal(piped.name, 'json|flip|binary')
  const written = piped.encode({ a: 1 })
  const flipped = flip.encode(bytes('{"a":1}'))
  assert.equal(text(written), Buffer.from(flipped).toString('base64'))
  assert.deepEqual(piped.decode(written), { a: 1 })
})
