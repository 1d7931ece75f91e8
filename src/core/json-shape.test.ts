// Reading by shape answers what `JSON.parse` answers, or leaves it to `JSON.parse`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { json, reader } from './codec.ts'
import { JsonReader } from './json-reader.ts'
import { JsonShape } from './json-shape.ts'
import { RecordTexts } from './text-slice.ts'

/** Stands in the middle of other bytes, as a value in a batch does. */
function within(text: string): { bytes: Buffer; start: number; end: number } {
  const value = Buffer.from(text)
  const bytes = Buffer.concat([Buffer.from('{"a":"'), value, Buffer.from('"}')])
  return { bytes, start: 6, end: 6 + value.length }
}

function textsOf(bytes: Buffer, start: number, end: number): RecordTexts {
  const texts = new RecordTexts()
  texts.open(bytes, start, end)
  return texts
}

function shapeOf(text: string): JsonShape {
  const shape = JsonShape.of(text, JSON.parse(text))
  assert.ok(shape !== undefined, text)
  return shape
}

function readBy(shape: JsonShape, text: string): object | undefined {
  const { bytes, end, start } = within(text)
  return shape.read(bytes, start, end, textsOf(bytes, start, end))
}

const view = '{"id":"v1","user":"zoë","n":-12,"x":1.5e-3,"on":true,"off":false,"none":null}'

test('an object of the same shape is read as JSON.parse reads it', () => {
  const shape = shapeOf(view)
  const others = [
    view,
    '{"id":"","user":"a longer text than is copied","n":0,"x":-0,"on":null,"off":1,"none":"x"}',
    '{"id":"\u007f","user":"\u{1F600}","n":999999999999999,"x":9007199254740993,' +
      '"on":1E400,"off":-0.0,"none":true}'
  ]
  for (const text of others) {
    const read = readBy(shape, text)
    assert.deepEqual(read, JSON.parse(text))
    assert.equal(JSON.stringify(read), JSON.stringify(JSON.parse(text)))
  }
  assert.ok(Object.is((readBy(shape, others[1] ?? '') as { x: number }).x, -0))
})

test('blanks belong to the shape', () => {
  const spaced = '{ "id" : "a",\n\t"n": 1 }\r\n'
  assert.deepEqual(readBy(shapeOf(spaced), '{ "id" : "b",\n\t"n": 22 }\r\n'), { id: 'b', n: 22 })
  assert.equal(readBy(shapeOf(spaced), '{"id":"b","n":22}'), undefined)
})

test('what looks otherwise in any byte is left to JSON.parse', () => {
  const shape = shapeOf('{"id":"a","n":1}')
  const others = [
    '{"id":"a","n":1} ',
    '{"id":"a","n":1',
    '{"id":"a","n":1}}',
    '{"id":"a","m":1}',
    '{"n":1,"id":"a"}',
    '{"id":"a"}',
    '{"id":"a","n":1,"o":2}',
    '{"id":"a\\n","n":1}',
    '{"id":"a\u0001","n":1}',
    '{"id":{},"n":1}',
    '{"id":"a","n":[1]}',
    '{"id":"a","n":01}',
    '{"id":"a","n":1.}',
    '{"id":"a","n":.5}',
    '{"id":"a","n":+1}',
    '{"id":"a","n":-}',
    '{"id":"a","n":1e}',
    '{"id":"a","n":tru}',
    '{"id":"a","n":nul}',
    '{"id":"a","n":}',
    '{"id":"a","n":Infinity}',
    '{"id":"a","n":--1}',
    '{"id":"a","n":1 }',
    '',
    '{',
    '"'
  ]
  for (const text of others) assert.equal(readBy(shape, text), undefined, text)
})

test('no shape is made of what is not a flat object, or of names that are refused', () => {
  const none = [
    '1',
    '"a"',
    '[]',
    '{}',
    'null',
    '{"a":{}}',
    '{"a":[]}',
    '{"a":"\\n"}',
    '{"a":1,"a":2}',
    '{"constructor":1}',
    '{"__proto__":1}',
    '{"\\u0061":1}',
    '{"2":1,"1":2}'
  ]
  for (const text of none) assert.equal(JsonShape.of(text, JSON.parse(text)), undefined, text)
})

test('names are only names', () => {
  const odd = '{"a b":1,"\'; throw 1; \'":2,"\u2028":3,"${x}":4,"values[0]":5}'
  assert.deepEqual(readBy(shapeOf(odd), odd), JSON.parse(odd))
})

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null)
)

test('any two flat objects of the same names: the second is read as by JSON.parse', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 6 })
  const pairs = names.chain((all) => {
    const values = fc.array(scalar, { minLength: all.length, maxLength: all.length })
    return fc.record({ all: fc.constant(all), first: values, second: values })
  })
  let read = 0
  fc.assert(
    fc.property(pairs, ({ all, first, second }) => {
      const textOf = (values: readonly unknown[]): string =>
        JSON.stringify(Object.fromEntries(all.map((name, index) => [name, values[index]])))
      const shape = JsonShape.of(textOf(first), JSON.parse(textOf(first)))
      const value = shape === undefined ? undefined : readBy(shape, textOf(second))
      if (value === undefined) return
      read++
      assert.deepEqual(value, JSON.parse(textOf(second)))
    }),
    { numRuns: 2_000 }
  )
  assert.ok(read > 500, `only ${read} were read by their shape`)
})

test('a byte changed anywhere is never read as something else', () => {
  const shape = shapeOf(view)
  const bytes = Buffer.from(view)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(bytes)
      changed[at] = byte
      const read = shape.read(changed, 0, changed.length, textsOf(changed, 0, changed.length))
      // Also of bytes that are no UTF-8.
      if (read !== undefined) assert.deepEqual(read, JSON.parse(changed.toString('utf8')))
    }),
    { numRuns: 5_000 }
  )
})

test('a reader parses what has another shape, and takes that when the old one fails', () => {
  let parsed = 0
  const values = new JsonReader((text) => {
    parsed++
    return JSON.parse(text)
  })
  const read = (text: string, times: number): void => {
    for (let count = 0; count < times; count++) {
      const { bytes, end, start } = within(text)
      assert.deepEqual(values.read(bytes, start, end, textsOf(bytes, start, end)), JSON.parse(text))
    }
  }
  read('{"a":1}', 100)
  assert.equal(parsed, 1)
  read('{"b":1}', 200)
  assert.ok(parsed < 100, `parsed ${parsed}`)
  // Never twice alike: soon nothing more is tried to be learnt.
  read('[1]', 1_000)
  const before = parsed
  read('[1]', 100)
  assert.equal(parsed, before + 100)
})

test('what the codec refuses is refused whatever came before', () => {
  const read = reader(json)
  const readText = (text: string): unknown => {
    const { bytes, end, start } = within(text)
    return read(bytes, start, end, textsOf(bytes, start, end))
  }
  assert.deepEqual(readText('{"a":1}'), { a: 1 })
  assert.deepEqual(readText('{"a":2}'), { a: 2 })
  assert.throws(() => readText('{"__proto__":2}'), { code: 'TAILRACE_SCHEMA_UNSAFE_KEY' })
  assert.throws(() => readText('{"a":2'), SyntaxError)
  assert.throws(() => readText(''), SyntaxError)
})
