// Input that looks bad and is not: it goes through tables, outputs, a restart and a restore as it
// came. And what is refused where it is sent, so that it is never input at all. Each log tries it.
import assert from 'node:assert/strict'
import { deadLetter, type ErrorCode, hasCode, raw, string } from 'tailrace'
import { z } from 'zod'
import { type AppLog, type Bytes, textOf } from './app-log.ts'

const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

const odd: readonly (readonly [string, string | null])[] = [
  ['200 levels', nested(200)],
  ['999 levels', nested(999)],
  ['null where the schema accepts it', null],
  ['the JSON null', 'null'],
  ['a prototype that is a plain property', '{"prototype":{"x":1},"constructor":"me"}'],
  ['a text that only speaks of __proto__', '"__proto__"'],
  ['a lone surrogate', '"\\ud800"'],
  ['an empty text', '""'],
  ['a number beyond 2^53', '12345678901234567890'],
  ['the same name twice', '{"a":1,"a":2}'],
  ['white space around it', ' \n{"a":1}\t ']
]

/** Copies every value to a topic and, unless it is null, to a table. */
async function copied(log: AppLog, data: string): Promise<Map<string, unknown>> {
  const app = log.app({ deadLetter: log.name('dead'), datadir: log.place(data) })
  const any = { key: z.string(), value: z.unknown() }
  const source = app.topic(log.name('in'), { ...any, partitions: 1 })
  const out = app.topic(log.name('out'), { ...any, partitions: 1 })
  const rows = app.table('rows', { key: z.string(), value: z.object({ is: z.unknown() }) })
  const uses = { source, tables: { rows }, outputs: { out } }
  app.each('copy', uses, ({ key, value }, { out, rows }) => {
    out.send({ key, value })
    rows.set(key, { is: value })
  })
  const worker = await log.start(app)
  await log.settled(worker, log.name('in'))
  const found = await Array.fromAsync(rows.scan(), ([key, { is }]) => [key, is] as const)
  await worker.stop()
  return new Map(found)
}

export const oddButGood: Readonly<Record<string, (log: AppLog) => Promise<void>>> = {
  'values of odd forms come through tables and outputs, also restored from nothing': async (
    log
  ) => {
    await log.create(log.name('in'))
    const names = ['', ...odd.map(([name]) => name)]
    await log.put(log.name('in'), [
      { key: '', value: '"an empty key"' },
      ...odd.map(([key, value]): Bytes => ({ key, value }))
    ])
    const expected = [
      'an empty key',
      ...odd.map(([, value]) => JSON.parse(value ?? 'null') as unknown)
    ]
    for (const data of ['data', 'data', 'fresh']) {
      const rows = await copied(log, data)
      for (const [index, name] of names.entries()) {
        assert.deepEqual(rows.get(name), expected[index], name)
      }
    }
    const out = await log.read(log.name('out'))
    assert.deepEqual(
      out.map(({ key }) => textOf(key)),
      names
    )
    assert.deepEqual(
      out.map(({ value }) => JSON.parse(textOf(value) ?? 'null') as unknown),
      expected
    )
    assert.deepEqual(await log.read(log.name('dead')), [])
  },

  'a row that is deleted is a tombstone, and stays away when restored from nothing': async (
    log
  ) => {
    await log.create(log.name('in'))
    await log.put(log.name('in'), [
      { key: 'kept', value: '1' },
      { key: 'gone', value: '2' },
      { key: 'gone', value: null }
    ])
    for (const data of ['data', 'fresh']) {
      const app = log.app({ datadir: log.place(data) })
      const source = app.topic(log.name('in'), { key: z.string(), value: z.number().nullable() })
      const table = app.table('rows', { key: z.string(), value: z.number() })
      app.each('keep', { source, tables: { table } }, ({ key, value }, { table }) => {
        if (value === null) table.delete(key)
        else table.set(key, value)
      })
      const worker = await log.start(app)
      await log.settled(worker, log.name('in'))
      assert.deepEqual(await Array.fromAsync(table.scan()), [['kept', 1]])
      await worker.stop()
      const changes = await log.read(`${log.id}-rows-changelog`)
      assert.equal(changes.findLast(({ key }) => textOf(key) === 'gone')?.value, null)
    }
  },

  'bytes and texts may be empty where their codec says so': async (log) => {
    const app = log.app()
    const bytes = app.topic(log.name('bytes'), { codec: raw, partitions: 1 })
    const texts = app.topic(log.name('texts'), { codec: string, value: z.string(), partitions: 1 })
    const seen: unknown[] = []
    app.each('read-bytes', { source: bytes }, ({ value }) => void seen.push(value))
    app.each('read-texts', { source: texts }, ({ value }) => void seen.push(value))
    const worker = await log.start(app)
    for (const topic of ['bytes', 'texts']) {
      await log.put(log.name(topic), [{ value: '' }])
      await log.settled(worker, log.name(topic))
    }
    assert.deepEqual(seen, [new Uint8Array(0), ''])
  },

  'what a sender may not send is refused there, and leaves nothing in the log': async (log) => {
    const app = log.app({ recordBytesMax: 1_000 })
    const topic = app.topic(log.name('in'), {
      key: z.string().min(1),
      value: z.unknown(),
      partitions: 1
    })
    const counts = app.topic(log.name('counts'), {
      key: z.string(),
      value: z.number(),
      partitions: 1
    })
    const later = z.string().refine((text) => Promise.resolve(text !== 'no'))
    const slow = app.topic(log.name('slow'), { value: later, partitions: 1 })
    const refusals: readonly (readonly [() => Promise<unknown>, ErrorCode, RegExp])[] = [
      [
        () => topic.send({ key: 'a', value: 'x'.repeat(1_000) }),
        'TAILRACE_SCHEMA_TOO_LARGE',
        /a record for "in" has 1003 bytes; the limit \(recordBytesMax\) is 1000/
      ],
      [
        () => topic.send({ key: '', value: 1 }),
        'TAILRACE_SCHEMA_INVALID',
        /the key of a record for "in" does not fit its schema/
      ],
      [
        () => topic.send({ key: 'a', value: 1n }),
        'TAILRACE_SCHEMA_ENCODE',
        /the value of a record for "in" cannot be written by the codec "json"/
      ],
      [
        () => counts.send({ key: 'a', value: 'one' as never }),
        'TAILRACE_SCHEMA_INVALID',
        /the value of a record for "counts" does not fit its schema: .*expected number/
      ],
      [
        () => counts.send({ key: 'a', value: null as never }),
        'TAILRACE_SCHEMA_NULL',
        /the value of a record for "counts" is null/
      ],
      [
        () => slow.send({ value: 'no' }),
        'TAILRACE_SCHEMA_INVALID',
        /the value of a record for "slow" does not fit its schema/
      ]
    ]
    for (const [send, code, says] of refusals) {
      await assert.rejects(send(), (error) => {
        assert.ok(hasCode(error, code), String(error))
        assert.match(log.plain(error.message), says)
        assert.match(error.hint, /\.$/)
        return true
      })
    }
    for (const name of ['in', 'counts', 'slow']) {
      assert.deepEqual(await log.read(log.name(name)), [])
    }
    await slow.send({ value: 'yes' })
    assert.deepEqual(
      (await log.read(log.name('slow'))).map(({ value }) => textOf(value)),
      ['"yes"']
    )
  }
}

/** Larger than `recordBytesMax`, which is for what is sent; `extra` is of its topics. */
export async function largeRecordIsRead(
  log: AppLog,
  extra: Readonly<Record<string, string>> = {}
): Promise<void> {
  for (const title of ['in', 'dead']) await log.create(log.name(title), 1, extra)
  const large = 'x'.repeat(3 << 20)
  await log.put(log.name('in'), [
    { key: 'good', value: JSON.stringify(large) },
    { key: 'bad', value: large },
    { key: 'good', value: '"small"' }
  ])
  const app = log.app({ deadLetter: log.name('dead'), onError: deadLetter() })
  const lengths: number[] = []
  const source = app.topic(log.name('in'), { value: z.string() })
  app.each('read', { source }, ({ value }) => void lengths.push(value.length))
  const worker = await log.start(app)
  await log.settled(worker, log.name('in'))
  assert.deepEqual(lengths, [large.length, 5])
  const [letter] = await log.read(log.name('dead'))
  assert.ok(letter?.value?.equals(Buffer.from(large)))
}
