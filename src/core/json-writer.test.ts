// What is written is what `JSON.stringify` gives, or left to it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from './byte-writer.ts'
import { json, string } from './codec.ts'
import { writeSimpleJson } from './json-writer.ts'

function written(value: unknown): string | undefined {
  const writer = new ByteWriter(1)
  writer.text('before')
  const is = writeSimpleJson(writer, value)
  const text = writer.view(0, writer.length).toString()
  assert.ok(text.startsWith('before'))
  if (!is) assert.equal(text, 'before', 'what could not be written left something')
  return is ? text.slice('before'.length) : undefined
}

test('flat objects and numbers are written as JSON.stringify writes them', () => {
  const values = [
    0,
    -0,
    1.5e300,
    2 ** 53,
    {},
    { a: 1 },
    { a: undefined, b: 'x' },
    { a: null, b: true, c: false },
    { text: 'quo"te back\\slash \u0001 \u007f zo\u00eb \ud83d\ude00 \ud800', 'odd "name"': '' },
    { long: 'x'.repeat(300), longer: '"'.repeat(300) },
    { 2: 'b', 1: 'a', z: -0 },
    Object.assign(Object.create(null) as object, { a: 1 })
  ]
  for (const value of values) assert.equal(written(value), JSON.stringify(value))
})

test('what is more than that is left to JSON.stringify', () => {
  const others = [
    'text',
    null,
    undefined,
    true,
    [],
    [1],
    { a: [] },
    { a: {} },
    { a: Number.NaN },
    new Date(0),
    Number.POSITIVE_INFINITY,
    { a: 1n },
    { toJSON: () => 1 },
    { toJSON: 1 },
    Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 2 }),
    { constructor: 1 },
    JSON.parse('{"__proto__":1}') as unknown,
    { a: () => 1 },
    new (class A {
      a = 1
    })()
  ]
  for (const value of others) assert.equal(written(value), undefined)
})

test('any flat object', () => {
  const scalar = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined)
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string(), scalar), (value) => {
      const text = written(value)
      if (text !== undefined) assert.equal(text, JSON.stringify(value))
    }),
    { numRuns: 2_000 }
  )
})

test('bytes that were handed out stay as they are', () => {
  const values = Array.from({ length: 5_000 }, (_, index) => ({
    index,
    text: 'x'.repeat(index % 97)
  }))
  const texts = values.map(({ text }) => text)
  const kept = values.map((value) => [json.encode(value), string.encode(value.text)] as const)
  assert.deepEqual(
    kept.map(([value]) => json.decode(value)),
    values
  )
  assert.deepEqual(
    kept.map(([, text]) => string.decode(text)),
    texts
  )
})

test('a value that encodes or throws while it is encoded spoils no other', () => {
  const before = json.encode({ before: 1 })
  const nesting = {
    a: 1,
    get b() {
      return json.decode(json.encode({ c: 2 })) === undefined ? 0 : 3
    }
  }
  const throwing = {
    a: 1,
    get b(): number {
      throw new RangeError('no b')
    }
  }
  assert.deepEqual(json.decode(json.encode(nesting)), { a: 1, b: 3 })
  assert.throws(() => json.encode(throwing), RangeError)
  assert.deepEqual(json.decode(json.encode({ after: 1 })), { after: 1 })
  assert.deepEqual(json.decode(before), { before: 1 })
})

test('a large value does not stay in the way of the next', () => {
  const large = { a: 'x'.repeat(1_000_000) }
  for (const value of [large, { a: 1 }, large, 7]) {
    assert.deepEqual(json.decode(json.encode(value)), value)
  }
})
