// Schemas and codecs together: validated values, null, promises, and errors that say where.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { json, string } from './codec.ts'
import { type ErrorCode, hasCode, TailraceError } from './errors.ts'
import { decode, encode, isThenable, type Slot, validate, validateNow } from './schema.ts'

const zod: Slot = { schema: z.object({ a: z.coerce.date() }), codec: json }
const order = z.object({ id: z.string(), lines: z.array(z.object({ count: z.number() })) })

function coded(code: ErrorCode, text: RegExp): (error: unknown) => boolean {
  return (error) => hasCode(error, code) && text.test(error.message)
}

test('any Standard Schema validates, and its output comes out', () => {
  const shapes = [z.object({ a: z.number() }), v.object({ a: v.number() }), type({ a: 'number' })]
  for (const schema of shapes) {
    assert.deepEqual(validateNow({ schema, codec: json }, { a: 1 }, 'it'), { a: 1 })
    assert.throws(
      () => validateNow({ schema, codec: json }, { a: 'x' }, 'the value of it'),
      coded('TAILRACE_SCHEMA_INVALID', /the value of it does not fit its schema: a: /)
    )
  }
  const made = validateNow(zod, { a: '2026-01-01' }, 'it')
  assert.deepEqual(made, { a: new Date('2026-01-01') })
  assert.equal(validateNow({ schema: undefined, codec: json }, 7, 'it'), 7)
})

test('problems are told by their path, five of them', () => {
  const lines = Array.from({ length: 7 }, () => ({ count: 'x' }))
  assert.throws(
    () => validateNow({ schema: order, codec: json }, { id: 'a', lines }, 'it'),
    coded('TAILRACE_SCHEMA_INVALID', /lines\.0\.count: .*lines\.4\.count: .* and 2 more$/)
  )
})

test('null is told as null where the schema does not take it', () => {
  const slot: Slot = { schema: z.string(), codec: string }
  assert.throws(
    () => validateNow(slot, null, 'the key'),
    coded('TAILRACE_SCHEMA_NULL', /the key is null/)
  )
  assert.equal(validateNow({ schema: z.string().nullable(), codec: string }, null, 'it'), null)
})

test('a schema that answers later is awaited where possible, and refused where not', async () => {
  const schema = z.string().refine(async (text) => text !== 'bad')
  const slot: Slot = { schema, codec: string }
  const answer = validate(slot, 'good', 'it')
  assert.ok(isThenable(answer))
  assert.equal(await answer, 'good')
  await assert.rejects(
    Promise.resolve(validate(slot, 'bad', 'it')),
    coded('TAILRACE_SCHEMA_INVALID', /it does not fit/)
  )
  assert.throws(() => validateNow(slot, 'bad', 'it'), coded('TAILRACE_SCHEMA_ASYNC', /at once/))
})

test('bytes: null stays null, and what the codec cannot do says which codec', () => {
  const slot: Slot = { schema: undefined, codec: json }
  assert.equal(encode(slot, null, 'it'), null)
  assert.equal(encode(slot, undefined, 'it'), null)
  assert.equal(decode(slot, null, 'it'), null)
  assert.deepEqual(decode(slot, encode(slot, { a: 1 }, 'it'), 'it'), { a: 1 })
  assert.throws(
    () => encode({ schema: undefined, codec: string }, 1, 'the key'),
    coded('TAILRACE_SCHEMA_ENCODE', /the key cannot be written by the codec "string"/)
  )
  assert.throws(
    () => decode(slot, Buffer.from('{'), 'the value'),
    coded('TAILRACE_SCHEMA_DECODE', /the value is not what the codec "json" reads: /)
  )
  assert.throws(
    () => decode(slot, Buffer.from('{"__proto__":1}'), 'it'),
    coded('TAILRACE_SCHEMA_UNSAFE_KEY', /__proto__/)
  )
})

test('an error of ours thrown by a codec of the user keeps its code', () => {
  const own = new TailraceError('TAILRACE_SCHEMA_TOO_LARGE', 'too large')
  const codec = {
    name: 'own',
    encode: () => {
      throw own
    },
    decode: () => {
      throw own
    }
  }
  const slot: Slot = { schema: undefined, codec }
  // Errors say where, since a codec cannot know it.
  const told = coded('TAILRACE_SCHEMA_TOO_LARGE', /^TAILRACE_SCHEMA_TOO_LARGE: it: too large$/)
  assert.throws(() => encode(slot, 1, 'it'), told)
  assert.throws(() => decode(slot, Buffer.alloc(1), 'it'), told)
})

test('a codec that writes anything but bytes is told', () => {
  const codec = { name: 'own', encode: (): Uint8Array => JSON.parse('"text"'), decode: () => 1 }
  assert.throws(
    () => encode({ schema: undefined, codec }, 1, 'it'),
    coded('TAILRACE_SCHEMA_ENCODE', /it cannot be written by the codec "own"/)
  )
})

test('a schema that throws has refused the value', async () => {
  const throwing = (validate: () => never): Slot => ({
    schema: { '~standard': { version: 1, vendor: 'own', validate } },
    codec: json
  })
  const sync = throwing(() => {
    throw new RangeError('no stack left')
  })
  const told = coded('TAILRACE_SCHEMA_INVALID', /schema of it threw .*: no stack left/)
  assert.throws(() => validate(sync, 1, 'it'), told)
  const later: Slot = {
    schema: {
      '~standard': {
        version: 1,
        vendor: 'own',
        validate: () => Promise.reject(new RangeError('no stack left'))
      }
    },
    codec: json
  }
  await assert.rejects(Promise.resolve(validate(later, 1, 'it')), told)
})
