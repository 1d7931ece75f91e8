// The steps of a stream while it runs: map, filter, tap, merge and groupBy, as an agent sees them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, type Event, json, skip } from 'tailrace'
import { type LoggedRecord, startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

const start = Date.UTC(2026, 0, 1)
const Order = z.object({ account: z.string(), amount: z.number() })

test('map changes the value alone, filter ends the way, tap changes nothing', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const orders = app.topic('orders', { key: z.string(), value: Order, partitions: 1 })
  const tapped: number[] = []
  const seen: Event<string, number>[] = []
  const amounts = app
    .stream(orders)
    .map((event) => event.value.amount)
    .tap((event) => void tapped.push(event.value))
    .filter((event) => event.value > 10)
    .map((event) => event.value * 2)
  app.each('read', { source: amounts }, (event) => void seen.push(event))
  for (const [index, amount] of [5, 20, 10, 30].entries()) {
    const timestamp = start + index
    await log.send(orders, { key: `k${index}`, value: { account: 'a', amount }, timestamp })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp(), 'what is filtered out is finished all the same')
  assert.deepEqual(tapped, [5, 20, 10, 30])
  assert.deepEqual(
    seen.map(({ key, offset, timestamp, topic, value }) => [key, offset, timestamp, topic, value]),
    [
      ['k1', 1n, start + 1, 'orders', 40],
      ['k3', 3n, start + 3, 'orders', 60]
    ]
  )
  await worker.stop()
})

test('what a step throws goes to the policy of its agent, and of no other', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const orders = app.topic('orders', { value: Order, partitions: 1 })
  const failing = app.stream(orders).map(({ value }) => {
    if (value.amount < 0) throw new RangeError('a negative amount')
    return value.amount
  })
  const [failures, seen, whole]: [string[], number[], number[]] = [[], [], []]
  const onError = ({ error, event, stage }: { error: unknown; event: unknown; stage: string }) => {
    failures.push(`${stage}: ${String(error)}, event ${event === undefined ? 'unknown' : 'known'}`)
    return skip
  }
  app.each('read', { source: failing, onError }, (event) => void seen.push(event.value))
  app.each('beside', { source: orders }, (event) => void whole.push(event.value.amount))
  for (const amount of [1, -1, 2]) await log.send(orders, { value: { account: 'a', amount } })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen, [1, 2])
  assert.deepEqual(whole, [1, -1, 2], 'the other agent of the topic has every event')
  assert.equal(failures.length, 1)
  assert.match(failures[0] ?? '', /^handle: RangeError: a negative amount/)
  assert.equal(worker.status().counters.skipped, 1)
  await worker.stop()
})

test('an agent cannot change what another agent of the topic gets', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', onError: skip })
  const orders = app.topic('orders', { value: Order, partitions: 1 })
  const seen: number[] = []
  app.each('greedy', { source: orders }, ({ value }) => {
    // Types refuse it; JavaScript would do it.
    ;(value as { amount: number }).amount = 0
  })
  app.each('honest', { source: orders }, ({ value }) => void seen.push(value.amount))
  await log.send(orders, { value: { account: 'a', amount: 7 } })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen, [7])
  assert.equal(worker.status().counters.skipped, 1, 'the write threw')
  await worker.stop()
})

test('merged topics come to one agent, within a partition by their timestamps', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const keyed = { key: z.string(), value: z.number(), partitions: 2 }
  const [web, shop, phone] = [
    app.topic('web', keyed),
    app.topic('shop', keyed),
    app.topic('phone', keyed)
  ]
  const all = app
    .stream(web)
    .map(({ value }) => value * 100)
    .merge(shop, app.stream(phone))
  const seen = new Map<number, [topic: string, timestamp: number, value: number][]>()
  app.each('read', { source: all }, ({ partition, timestamp, topic, value }) => {
    const rows = seen.get(partition) ?? []
    seen.set(partition, [...rows, [topic, timestamp - start, value]])
  })
  for (const [topic, offset] of [
    [web, 0],
    [shop, 1],
    [phone, 2]
  ] as const) {
    for (let n = 0; n < 20; n++) {
      const timestamp = start + n * 10 + offset
      await log.send(topic, { key: `k${n % 4}`, value: n, timestamp })
    }
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  const rows = [...seen.values()]
  assert.equal(rows.flat().length, 60)
  for (const one of rows) {
    const times = one.map(([, timestamp]) => timestamp)
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b)
    )
  }
  const values = rows.flat().filter(([topic]) => topic === 'web')
  assert.ok(values.every(([, , value]) => value % 100 === 0))
  assert.deepEqual(new Set(rows.flat().map(([topic]) => topic)), new Set(['web', 'shop', 'phone']))
  await worker.stop()
})

test('groupBy brings a key together, in order, with time, headers and bytes', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const orders = app.topic('orders', { value: Order, partitions: 4 })
  const grouped = app
    .stream(orders)
    .filter(({ value }) => value.amount > 0)
    .groupBy('by-account', ({ value }) => value.account, { partitions: 3 })
  const seen = new Map<string, [partition: number, amount: number][]>()
  app.each('read', { source: grouped }, ({ key, partition, value }) => {
    seen.set(key, [...(seen.get(key) ?? []), [partition, value.amount]])
  })
  for (let n = 0; n < 60; n++) {
    await log.send(orders, {
      key: `order-${n}`,
      // One source partition: only there is an order to keep.
      partition: 1,
      value: { account: `account-${n % 5}`, amount: n },
      timestamp: start + n,
      headers: { trace: `t${n}` }
    })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.equal(seen.size, 5)
  for (const rows of seen.values()) {
    assert.equal(new Set(rows.map(([partition]) => partition)).size, 1, 'one partition for a key')
    const amounts = rows.map(([, amount]) => amount)
    assert.deepEqual(
      amounts,
      amounts.toSorted((a, b) => a - b)
    )
  }
  const between = log.readBytes('app-by-account-repartition')
  assert.equal(between.length, 59, 'the filter came before')
  const one = between.find(({ headers }) => headers['trace'] === 't7') as LoggedRecord<
    Buffer,
    Buffer
  >
  assert.deepEqual(
    [String(one.key), String(one.value), one.timestamp],
    ['account-2', '{"account":"account-2","amount":7}', start + 7]
  )
  assert.ok(between.every(({ partition }) => partition < 3))
  await worker.stop()
})

test('groupBy by a number names a codec; a mapped value has the app’s', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const orders = app.topic('orders', { value: Order, partitions: 2 })
  const sums = app.table('sums', {
    key: z.number(),
    keyCodec: json,
    value: z.number(),
    initial: () => 0
  })
  const grouped = app
    .stream(orders)
    .map(({ value }) => ({ cents: value.amount * 100 }))
    .groupBy('by-size', ({ value }) => value.cents % 3, { codec: json })
  app.each('sum', { source: grouped, tables: { sums } }, ({ key, value }, { sums }) => {
    sums.update(key, (sum) => sum + value.cents)
  })
  for (let n = 1; n <= 9; n++) await log.send(orders, { value: { account: 'a', amount: n } })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  const rows = new Map(await log.clock.settle(Array.fromAsync(sums.scan())))
  assert.deepEqual(
    [...rows].toSorted(([a], [b]) => a - b),
    [
      [0, 1_800],
      [1, 1_200],
      [2, 1_500]
    ]
  )
  await worker.stop()
})

test('a key that groupBy cannot use is the failure of that event alone', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', onError: skip })
  const orders = app.topic('orders', { value: Order, partitions: 1 })
  const key = z.string().min(1)
  const grouped = app.stream(orders).groupBy(
    'by-account',
    // What is annotated away happens: a lookup that finds nothing.
    ({ value }) => (value.account === 'none' ? (JSON.parse('null') as string) : value.account),
    { key }
  )
  const seen: string[] = []
  app.each('read', { source: grouped }, (event) => void seen.push(event.key))
  for (const account of ['a', '', 'none', 'b']) {
    await log.send(orders, { value: { account, amount: 1 } })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen.toSorted(), ['a', 'b'])
  assert.equal(worker.status().counters.skipped, 2)
  await worker.stop()
})
