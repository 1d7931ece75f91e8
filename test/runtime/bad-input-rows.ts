// Bad input, one row each: which code it gets and what the message says. Each log has a test that
// tries them all.
import type { ErrorCode, Failure } from 'tailrace'
import { z } from 'zod'
import type { Bytes } from './app-log.ts'
import type { Trial } from './bad-input-app.ts'

export interface Row extends Trial {
  readonly name: string
  /** The record, beside two good ones. @default a good one whose event acts */
  readonly bad?: Partial<Bytes>
  /** Undefined for an error of the user's own. */
  readonly code: ErrorCode | undefined
  readonly stage: Failure['stage']
  /** What happened, and what was expected. */
  readonly says: RegExp
  /** What to do. */
  readonly hint?: RegExp
}

const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const large = 'x'.repeat(3_000)

const unreadable: readonly Row[] = [
  {
    name: 'broken JSON',
    bad: { value: '{"n":' },
    code: 'TAILRACE_SCHEMA_DECODE',
    stage: 'decode',
    says: /the value is not what the codec "json" reads: .*JSON/,
    hint: /codec/
  },
  {
    name: 'bytes that are no text',
    bad: { value: Uint8Array.of(0xff, 0x00, 0xfe) },
    code: 'TAILRACE_SCHEMA_DECODE',
    stage: 'decode',
    says: /the value is not what the codec "json" reads/
  },
  {
    name: 'a value of another schema',
    bad: { value: '{"n":"two"}' },
    code: 'TAILRACE_SCHEMA_INVALID',
    stage: 'decode',
    says: /the value does not fit its schema: n: .*expected number/,
    hint: /schema/
  },
  {
    name: 'a key of another schema',
    bad: { key: 'much too long' },
    key: z.string().max(3),
    code: 'TAILRACE_SCHEMA_INVALID',
    stage: 'decode',
    says: /the key does not fit its schema: /
  },
  {
    name: 'a null key',
    bad: { key: null },
    code: 'TAILRACE_SCHEMA_NULL',
    stage: 'decode',
    says: /the key is null, and its schema does not accept null/,
    hint: /Accept null/
  },
  {
    name: 'a null value',
    bad: { value: null },
    code: 'TAILRACE_SCHEMA_NULL',
    stage: 'decode',
    says: /the value is null, and its schema does not accept null/
  },
  {
    name: 'an empty value',
    bad: { value: '' },
    code: 'TAILRACE_SCHEMA_DECODE',
    stage: 'decode',
    says: /the value is not what the codec "json" reads: Unexpected end/
  },
  {
    name: '200 levels of another form',
    bad: { value: nested(200) },
    code: 'TAILRACE_SCHEMA_INVALID',
    stage: 'decode',
    says: /the value does not fit its schema: n: /
  },
  {
    name: 'more levels than a value may have',
    bad: { value: `{"n":2,"act":true,"more":${nested(1_001)}}` },
    value: z.looseObject({ n: z.number() }),
    code: 'TAILRACE_SCHEMA_TOO_DEEP',
    stage: 'decode',
    says: /nested deeper than 1000 levels/,
    hint: /Flatten/
  },
  {
    name: 'a __proto__ key',
    bad: { value: '{"n":2,"__proto__":{"act":true}}' },
    code: 'TAILRACE_SCHEMA_UNSAFE_KEY',
    stage: 'decode',
    says: /the value: a JSON object holds a "__proto__"/,
    hint: /who produced/
  },
  {
    name: 'a __proto__ key spelled with escapes, deep inside',
    bad: { value: '{"n":2,"a":[{"\\u005f_proto__":{"act":true}}]}' },
    code: 'TAILRACE_SCHEMA_UNSAFE_KEY',
    stage: 'decode',
    says: /"__proto__"/
  },
  {
    name: 'a schema that throws',
    bad: { value: '{"n":-1}' },
    value: z.object({ n: z.number() }).transform((value) => {
      if (value.n < 0) throw new RangeError('below zero')
      return value
    }),
    code: 'TAILRACE_SCHEMA_INVALID',
    stage: 'decode',
    says: /the schema of the value threw instead of answering: below zero/
  }
]

const unhandled: readonly Row[] = [
  {
    name: 'an event value changed in place',
    act: ({ value }) => void Object.assign(value, { n: 3 }),
    code: 'TAILRACE_AGENT_FROZEN',
    stage: 'handle',
    says: /agent "count" changed a frozen value in place: .*'n'/,
    hint: /new value/
  },
  {
    name: 'a table value changed in place',
    act: (_event, { things }) => {
      things.set('a', { list: [1] })
      const { list } = things.get('a') as { list: number[] }
      list.push(2)
    },
    code: 'TAILRACE_AGENT_FROZEN',
    stage: 'handle',
    says: /not extensible/
  },
  {
    name: 'what was given to a table changed afterwards',
    act: (_event, { things }) => {
      const given = { n: 1 }
      things.set('a', given)
      given.n = 2
    },
    code: 'TAILRACE_AGENT_FROZEN',
    stage: 'handle',
    says: /'n'/
  },
  {
    name: 'an error of the handler',
    act: () => {
      throw new RangeError('no such page')
    },
    code: undefined,
    stage: 'handle',
    says: /^no such page$/
  },
  {
    name: 'a promise of the handler that is rejected, after its writes',
    act: async () => {
      await Promise.resolve()
      throw new RangeError('no such page')
    },
    code: undefined,
    stage: 'handle',
    says: /^no such page$/
  },
  {
    name: 'something thrown that is no error',
    act: () => {
      throw undefined
    },
    code: undefined,
    stage: 'handle',
    says: /^undefined$/
  },
  {
    name: 'a handler that takes too long',
    act: () => new Promise(() => undefined),
    timeout: 20,
    code: 'TAILRACE_AGENT_TIMEOUT',
    stage: 'handle',
    says: /agent "count" .* longer than its timeout of 20 ms/
  },
  {
    name: 'an output over recordBytesMax',
    act: (_event, { strange }) => strange.send({ key: 'a', value: large }),
    recordBytesMax: 2_000,
    code: 'TAILRACE_SCHEMA_TOO_LARGE',
    stage: 'send',
    says: /a record for "strange" has 3003 bytes; the limit \(recordBytesMax\) is 2000/,
    hint: /raise `recordBytesMax`/
  },
  {
    name: 'an output that its schema refuses',
    act: (_event, { strange }) => strange.send({ key: 'a', value: 'text' }),
    thing: z.number(),
    code: 'TAILRACE_SCHEMA_INVALID',
    stage: 'send',
    says: /the value of a record for "strange" does not fit its schema/
  },
  {
    name: 'an output that its codec cannot write',
    act: (_event, { strange }) => strange.send({ key: 'a', value: 1n }),
    code: 'TAILRACE_SCHEMA_ENCODE',
    stage: 'send',
    says: /the value of a record for "strange" cannot be written by the codec "json"/,
    hint: /another codec/
  },
  {
    name: 'an output whose schema needs time',
    act: (_event, { strange }) => strange.send({ key: 'a', value: 1 }),
    thing: z.number().refine(() => Promise.resolve(true)),
    code: 'TAILRACE_SCHEMA_ASYNC',
    stage: 'send',
    says: /the schema of "strange" validates asynchronously/
  },
  {
    name: 'a row over recordBytesMax, found by replaying with care',
    act: (_event, { things }) => things.set('a', { text: large }),
    recordBytesMax: 2_000,
    code: 'TAILRACE_SCHEMA_TOO_LARGE',
    stage: 'send',
    says: /a row of table "things" takes 3012 bytes; the limit \(recordBytesMax\) is 2000/
  },
  {
    name: 'a row whose key is over recordBytesMax',
    act: (_event, { things }) => things.set(large, { text: '' }),
    recordBytesMax: 2_000,
    code: 'TAILRACE_SCHEMA_TOO_LARGE',
    stage: 'send',
    says: /a row of table "things" takes 3011 bytes; the limit \(recordBytesMax\) is 2000/
  },
  {
    name: 'an output whose headers are over recordBytesMax',
    act: (_event, { strange }) => strange.send({ key: 'a', value: 1, headers: { h: large } }),
    recordBytesMax: 2_000,
    code: 'TAILRACE_SCHEMA_TOO_LARGE',
    stage: 'send',
    says: /a record for "strange" has 3003 bytes; the limit \(recordBytesMax\) is 2000/
  },
  {
    name: 'a row that its schema cannot take back, found by replaying with care',
    act: (_event, { things }) => things.set('a', 'text'),
    thing: z.string().transform((text) => text.length),
    code: 'TAILRACE_SCHEMA_UNWRITABLE',
    stage: 'send',
    says: /a value of table "things" does not read back equal from the codec "json"/,
    hint: /accept its own output/
  },
  {
    name: 'a row that its codec cannot write',
    act: (_event, { things }) => things.set('a', { n: 1n }),
    code: 'TAILRACE_SCHEMA_ENCODE',
    stage: 'send',
    says: /a value of table "things" cannot be written by the codec "json"/
  },
  {
    name: 'a row that refers to itself',
    act: (_event, { things }) => {
      const loop: Record<string, unknown> = {}
      loop['self'] = loop
      things.set('a', loop)
    },
    code: 'TAILRACE_SCHEMA_TOO_DEEP',
    stage: 'send',
    says: /or refers to itself/
  },
  {
    name: 'null for a row',
    act: (_event, { things }) => things.set('a', null),
    code: 'TAILRACE_TABLE_VALUE',
    stage: 'handle',
    says: /table "things" was given null/,
    hint: /`delete`/
  },
  {
    name: 'a window of no time',
    act: (_event, { wide }) => wide.at(Number.NaN),
    code: 'TAILRACE_TABLE_WINDOW',
    stage: 'handle',
    says: /table "wide" was asked for the window of NaN/
  },
  {
    name: 'a window further out than any record',
    act: (_event, { wide }) => wide.at(1e300).set('a', 1),
    code: 'TAILRACE_TABLE_WINDOW',
    stage: 'handle',
    says: /table "wide" was asked for the window of 1e\+300/
  }
]

export const badInput: readonly Row[] = [...unreadable, ...unhandled]

export function titleOf({ code, name }: Row): string {
  return `${name}: ${code ?? 'the error as it is'}, and a dead letter`
}
