// Topics while they run: how they are made, which bytes stand in them, and where records go.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  binary,
  type Codec,
  crc32Partitioner,
  createApp,
  hasCode,
  json,
  pipe,
  raw,
  string
} from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import * as v from 'valibot'
import { z } from 'zod'

const day = 86_400_000

test('a topic is made as it is declared; one that exists is left as it is', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', deadLetter: 'letters' })
  app.topic('plain')
  app.topic('kept', {
    partitions: 3,
    retention: -1,
    cleanupPolicy: 'compact',
    replication: 2,
    config: { 'segment.bytes': '1048576' }
  })
  app.topic('short', { retention: '2d', cleanupPolicy: 'compact,delete' })
  const older = app.topic('older', { retention: '1h' })
  log.broker.createTopic({
    ...{ name: older.name, partitions: 5, replication: 1 },
    settings: { retentionMs: 5, cleanupPolicy: 'delete', timestampType: 'create', extra: {} }
  })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source: older, tables: { counts } }, () => {})
  const worker = await startTestWorker(app, { log })
  const made = new Map(log.broker.topics().map((one) => [one.name, one]))
  const of = (name: string) => {
    const { partitions, replication, settings } = made.get(name) ?? assert.fail(name)
    return [partitions, replication, settings.cleanupPolicy, settings.retentionMs, settings.extra]
  }
  assert.deepEqual(of('plain'), [8, 1, 'delete', 7 * day, {}])
  assert.deepEqual(of('kept'), [3, 2, 'compact', -1, { 'segment.bytes': '1048576' }])
  assert.deepEqual(of('short'), [8, 1, 'compact,delete', 2 * day, {}])
  assert.deepEqual(of('older'), [5, 1, 'delete', 5, {}])
  const kept = { 'delete.retention.ms': String(day) }
  assert.deepEqual(of('app-counts-changelog'), [5, 1, 'compact', -1, kept])
  assert.deepEqual(of('letters').slice(0, 1), [5], 'as many as its records come from')
  await worker.stop()
})

test('the bytes of a record are those of its codec; reading gives the value back', async () => {
  const log = new TestLog()
  const cases: readonly (readonly [Codec<never> | undefined, unknown, string])[] = [
    [undefined, { a: [1, null] }, '{"a":[1,null]}'],
    [json as Codec<never>, 'text', '"text"'],
    [string as Codec<never>, 'text', 'text'],
    [raw as Codec<never>, new Uint8Array([104, 105]), 'hi'],
    [binary as Codec<never>, new Uint8Array([0, 255, 1]), 'AP8B'],
    [pipe(json, binary) as Codec<never>, { a: 1 }, 'eyJhIjoxfQ==']
  ]
  const app = createApp({ id: 'app', broker: 'memory:' })
  const seen = new Map<string, unknown>()
  for (const [index, [codec, value, bytes]] of cases.entries()) {
    const options = { partitions: 1, ...(codec !== undefined && { codec: codec as Codec }) }
    const topic = app.topic(`t${index}`, options)
    app.each(`read-${index}`, { source: topic }, (event) => void seen.set(topic.name, event.value))
    await log.send(topic, { key: 'k', value })
    assert.equal(String(log.readBytes(topic.name)[0]?.value), bytes)
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  for (const [index, [, value]] of cases.entries()) assert.deepEqual(seen.get(`t${index}`), value)
  await worker.stop()
})

test('an app has a codec for all values that name none', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', codec: pipe(json, binary) })
  const orders = app.topic('orders', { value: z.number(), partitions: 1 })
  const named = app.topic('named', { value: z.string(), partitions: 1, codec: string })
  const say = app.each('say', { source: app.inbox({ value: z.number(), partitions: 1 }) }, () => {})
  const sums = app.table('sums', { key: z.string(), value: z.number(), initial: () => 0 })
  const doubled = app
    .stream(orders)
    .map(({ value }) => value * 2)
    .groupBy('by-one', () => 'one')
  const uses = { source: doubled, tables: { sums }, outputs: { named, say } }
  app.each('sum', uses, ({ key, value }, { named, say, sums }) => {
    named.send({ value: `sum ${sums.update(key, (sum) => sum + value)}` })
    say.send({ value })
  })
  await log.send(orders, { value: 7 })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  const one = (topic: string): string => {
    const [record] = log.readBytes(topic)
    return `${record?.key} ${record?.value}`
  }
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  assert.equal(one('orders'), `null ${base64('7')}`)
  assert.equal(one('app-by-one-repartition'), `one ${base64('14')}`)
  assert.equal(one('app-say'), `null ${base64('14')}`)
  assert.match(one('app-sums-changelog'), /^one /)
  assert.equal(one('named'), 'null sum 14')
  await worker.stop()
})

test('what a schema takes is sent, and what it gives is what an agent gets', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const at = app.topic('at', { value: z.object({ at: z.coerce.date<string>() }), partitions: 1 })
  const level = app.topic('level', {
    value: v.object({ level: v.optional(v.number(), 3) }),
    partitions: 1
  })
  const seen: unknown[] = []
  app.each('read-at', { source: at }, ({ value }) => void seen.push(value.at.getTime()))
  app.each('read-level', { source: level }, ({ value }) => void seen.push(value.level))
  await log.send(at, { value: { at: '2026-01-01T00:00:00Z' } })
  await log.send(level, { value: {} })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(new Set(seen), new Set([Date.UTC(2026, 0, 1), 3]))
  assert.equal(String(log.readBytes('at')[0]?.value), '{"at":"2026-01-01T00:00:00Z"}')
  await worker.stop()
})

test('headers go with a record, as text or bytes', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const topic = app.topic('t', { value: z.number(), partitions: 1 })
  const seen: (readonly [string, string])[][] = []
  app.each('read', { source: topic }, ({ headers }) => {
    seen.push([...headers].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]))
  })
  await log.send(topic, { value: 1, headers: { trace: 'abc', bytes: new Uint8Array([65, 66]) } })
  await log.send(topic, { value: 2 })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen, [
    [
      ['trace', 'abc'],
      ['bytes', 'AB']
    ],
    []
  ])
  await worker.stop()
})

test('a record goes where its partitioner says, unless it names its partition', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const value = z.number()
  const [java, rd, own] = [
    app.topic('java', { value, partitions: 6 }),
    app.topic('rd', { value, partitions: 6, partitioner: crc32Partitioner }),
    app.topic('own', { value, partitions: 6, partitioner: { name: 'own', partition: () => 4 } })
  ]
  const worker = await startTestWorker(app, { log })
  const at = async (topic: typeof java, key: string): Promise<number> =>
    (await log.clock.settle(topic.send({ key, value: 1 }))).partition
  // Hashes out of the tests of Kafka's Java client, and the checksum of librdkafka's `consistent`.
  assert.equal(await at(java, 'foobar'), (-790332482 & 0x7fffffff) % 6)
  assert.equal(await at(java, 'abc'), 479470107 % 6)
  for (const key of ['foobar', 'abc']) assert.equal(await at(rd, key), crc32(key) % 6)
  assert.equal(await at(own, 'anything'), 4)
  const sent = await log.clock.settle(own.send({ key: 'anything', value: 1, partition: 2 }))
  assert.equal(sent.partition, 2)
  await assert.rejects(log.clock.settle(own.send({ value: 1, partition: 6 })), (error) => {
    assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'), String(error))
    assert.match(error.message, /"own" has partitions 0 to 5, and a record was sent to 6/)
    return true
  })
  await worker.stop()
})

test('a table is asked where its key lives; another owner is named', async () => {
  const log = new TestLog()
  const make = () => {
    const app = createApp({ id: 'app', broker: 'memory:' })
    const orders = app.topic('orders', { key: z.string(), value: z.number(), partitions: 4 })
    const sums = app.table('sums', { key: z.string(), value: z.number(), initial: () => 0 })
    app.each('sum', { source: orders, tables: { sums } }, ({ key, value }, { sums }) => {
      sums.update(key, (sum) => sum + value)
    })
    return { app, orders, sums }
  }
  const [one, two] = [make(), make()]
  const url = (port: number): string => `http://127.0.0.1:${port}`
  const first = await startTestWorker(one.app, { log, instanceId: 'worker-1', url: url(1) })
  const second = await startTestWorker(two.app, { log, instanceId: 'worker-2', url: url(2) })
  await log.clock.advance(5_000)
  const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
  for (const key of keys) await log.send(one.orders, { key, value: 1 })
  assert.ok(await first.caughtUp())
  const local: string[] = []
  for (const key of keys) {
    const [a, b] = await Promise.allSettled([one.sums.query(key), two.sums.query(key)])
    assert.notEqual(a.status, b.status, `${key} has one owner`)
    if (a.status === 'fulfilled') local.push(key)
    const { reason } = (a.status === 'rejected' ? a : b) as PromiseRejectedResult
    assert.ok(hasCode(reason, 'TAILRACE_TABLE_NOT_LOCAL'), String(reason))
    assert.equal(reason.context['url'], a.status === 'rejected' ? url(2) : url(1))
    assert.match(reason.message, /partition \d of table "sums" belongs to worker .* at http/)
  }
  assert.ok(local.length > 0 && local.length < keys.length)
  const scan = one.sums.scan()
  assert.equal(scan.coverage.of, 4)
  assert.equal(scan.coverage.partitions.length, 2)
  assert.equal(scan.coverage.isComplete, false)
  const rows = await log.clock.settle(Array.fromAsync(scan, ([key]) => key))
  assert.deepEqual(rows.toSorted(), local.toSorted())
  assert.equal((await log.clock.settle(Array.fromAsync(one.sums.scan({ limit: 3 })))).length, 3)
  await second.stop()
  await log.clock.advance(5_000)
  assert.ok(one.sums.scan().coverage.isComplete)
  assert.equal((await one.sums.query('k0')).value, 1)
  await first.stop()
})
