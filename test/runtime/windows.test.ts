// Windowed tables while they run: panes by event time, late events, what is kept and for how long.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, hopping, type Pane, tumbling } from 'tailrace'
import { startTestWorker, TestDisk, TestLog } from 'tailrace/testing'
import { z } from 'zod'

const start = Date.UTC(2026, 0, 1)
const second = 1_000
const minute = 60 * second

/** What every table here holds. */
const numbers = { key: z.string(), value: z.number(), initial: () => 0 }

function visiting(partitions: number) {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const visits = app.topic('visits', { key: z.string(), value: z.number(), partitions })
  return { app, visits }
}

type Row = readonly [key: string, Pane<number>]

const shown = (rows: readonly Row[]): (readonly [string, number, number, number])[] =>
  rows.map(([key, { end, start: from, value }]) => [key, from - start, end - start, value] as const)

test('tumbling: one pane for a moment, by the event’s time and not by when it comes', async () => {
  const log = new TestLog()
  const { app, visits } = visiting(1)
  const sums = app.table('sums', {
    ...numbers,
    window: tumbling('1m', { grace: '1m', retention: '1h' })
  })
  const answers: number[] = []
  app.agent('sum', { source: visits, tables: { sums } }, async (events, { sums }) => {
    for await (const event of events) {
      answers.push(sums.at(event).update(event.key, (sum) => sum + event.value))
    }
  })
  for (const [at, value] of [
    [0, 1],
    [59_999, 10],
    [60_000, 100],
    // Out of order, and its window still open.
    [30_000, 1_000]
  ] as const) {
    await log.send(visits, { key: 'a', value, timestamp: start + at })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(answers, [1, 11, 100, 1_011])
  assert.deepEqual(shown(await log.clock.settle(Array.fromAsync(sums.scan()))), [
    ['a', 0, minute, 1_011],
    ['a', minute, 2 * minute, 100]
  ])
  const { value } = await sums.query('a', { from: start + minute })
  assert.deepEqual(value, [{ start: start + minute, end: start + 2 * minute, value: 100 }])
  assert.deepEqual((await sums.query('a', { to: new Date(start) })).value, [])
  assert.deepEqual((await sums.query('nobody')).value, [])
  await worker.stop()
})

test('hopping: every window that holds the moment, each with its own sum', async () => {
  const log = new TestLog()
  const { app, visits } = visiting(1)
  const sums = app.table('sums', {
    ...numbers,
    window: hopping('10s', { every: '5s', grace: '10s' })
  })
  const answers: (readonly (readonly [number, number])[])[] = []
  app.each('sum', { source: visits, tables: { sums } }, (event, { sums }) => {
    const panes = sums.at(event).update(event.key, (sum) => sum + event.value)
    answers.push(panes.map((pane) => [(pane.start - start) / second, pane.value] as const))
    assert.deepEqual(sums.at(event).get(event.key), panes)
    assert.ok(sums.at(event).has(event.key) && !sums.at(event).has('nobody'))
  })
  for (const [at, value] of [
    [7, 1],
    [12, 10],
    [4.999, 100]
  ] as const) {
    await log.send(visits, { key: 'a', value, timestamp: start + at * second })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(answers, [
    [
      [0, 1],
      [5, 1]
    ],
    [
      [5, 11],
      [10, 10]
    ],
    [
      [-5, 100],
      [0, 101]
    ]
  ])
  assert.deepEqual(
    (await sums.query('a')).value.map((pane) => [(pane.start - start) / second, pane.value]),
    [
      [-5, 100],
      [0, 101],
      [5, 11],
      [10, 10]
    ]
  )
  await worker.stop()
})

test('a closed hopping window takes no more, while a later one still does', async () => {
  const log = new TestLog()
  const { app, visits } = visiting(1)
  const late: (readonly [at: number, window: number, stream: number])[] = []
  const sums = app.table('sums', {
    ...numbers,
    window: hopping('10s', { every: '5s' }),
    onLate: ({ streamTime, timestamp, windowStart }) => {
      const since = [timestamp, windowStart, streamTime].map((one) => (one - start) / second)
      late.push([since[0] ?? 0, since[1] ?? 0, since[2] ?? 0])
    }
  })
  const seen: (readonly [isLate: boolean, number, number])[] = []
  app.each('sum', { source: visits, tables: { sums } }, (event, { sums }) => {
    const { isLate } = sums.at(event)
    const panes = sums.at(event).update(event.key, (sum) => sum + event.value)
    for (const pane of panes) seen.push([isLate, (pane.start - start) / second, pane.value])
    if (panes.length === 0) seen.push([isLate, Number.NaN, 0])
  })
  for (const [at, value] of [
    [11, 1],
    // Of its windows [0, 10) and [5, 15) the first is over.
    [8, 10],
    // Both of its windows are over.
    [3, 100]
  ] as const) {
    await log.send(visits, { key: 'a', value, timestamp: start + at * second })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen, [
    [false, 5, 1],
    [false, 10, 1],
    [false, 5, 11],
    [true, Number.NaN, 0]
  ])
  assert.deepEqual(late, [
    [8, 0, 11],
    [3, -5, 11],
    [3, 0, 11]
  ])
  assert.equal(worker.status().counters.late, 3)
  await worker.stop()
})

test('stream time belongs to a partition: what is late in one is not in another', async () => {
  const log = new TestLog()
  const { app, visits } = visiting(2)
  const counts = app.table('counts', {
    ...numbers,
    window: tumbling('10s'),
    // Rows of a partition: the keys are sent where they do not belong.
    scope: 'partition'
  })
  const late: number[] = []
  app.each('count', { source: visits, tables: { counts } }, (event, { counts }) => {
    if (counts.at(event).isLate) late.push(event.partition)
    counts.at(event).update(event.key, (count) => count + 1)
  })
  await log.send(visits, { key: 'a', value: 1, partition: 0, timestamp: start + minute })
  for (const partition of [0, 1]) {
    await log.send(visits, { key: 'a', value: 1, partition, timestamp: start })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(late, [0])
  await worker.stop()
})

test('windows past their retention are hidden at once, and later deleted', async () => {
  const log = new TestLog()
  const disk = new TestDisk()
  const { app, visits } = visiting(1)
  const counts = app.table('counts', {
    ...numbers,
    window: tumbling('1m', { retention: '10m' })
  })
  app.each('count', { source: visits, tables: { counts } }, (event, { counts }) => {
    counts.at(event).update(event.key, (count) => count + 1)
  })
  const worker = await startTestWorker(app, { log, disk })
  const store = disk.connect()
  const stored = async (): Promise<number> => {
    const [shard] = await store.shards()
    return shard === undefined ? 0 : (await store.scan(shard, { limit: 1_000 })).length
  }
  for (let n = 0; n < 50; n++) {
    await log.send(visits, { key: `k${n}`, value: 1, timestamp: start })
  }
  assert.ok(await worker.caughtUp())
  await log.clock.advance(1_000)
  assert.equal(await log.clock.settle(stored()), 50)
  assert.equal((await counts.query('k1')).value.length, 1)

  await log.clock.advance(11 * minute)
  await log.send(visits, { key: 'new', value: 1, timestamp: start + 11 * minute })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(shown(await log.clock.settle(Array.fromAsync(counts.scan()))), [
    ['new', 11 * minute, 12 * minute, 1]
  ])
  assert.deepEqual((await counts.query('k1')).value, [])
  await log.clock.advance(5 * minute)
  assert.equal(await log.clock.settle(stored()), 1)
  await worker.stop()
})

test('an event from the far future does not close the windows of the present', async () => {
  const log = new TestLog()
  const { app, visits } = visiting(1)
  const counts = app.table('counts', {
    ...numbers,
    window: tumbling('1d', { retention: '30d' })
  })
  const late: number[] = []
  app.each('count', { source: visits, tables: { counts } }, (event, { counts }) => {
    if (counts.at(event).isLate) late.push(event.timestamp)
    counts.at(event).update(event.key, (count) => count + 1)
  })
  await log.send(visits, { key: 'a', value: 1, timestamp: start + 3_650 * 86_400_000 })
  await log.send(visits, { key: 'a', value: 1, timestamp: start })
  const worker = await startTestWorker(app, { log, settings: { futureLimitMs: 3_600_000 } })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(late, [])
  const { value } = await counts.query('a', { to: start + 1 })
  assert.deepEqual(
    value.map((pane) => pane.value),
    [1]
  )
  await worker.stop()
})

test('after a crash the same panes come from the disk, or from the changelog alone', async () => {
  const log = new TestLog()
  const make = () => {
    const { app, visits } = visiting(2)
    const sums = app.table('sums', {
      ...numbers,
      window: hopping('10s', { every: '5s', grace: '1h' })
    })
    app.each('sum', { source: visits, tables: { sums } }, (event, { sums }) => {
      sums.at(event).update(event.key, (sum) => sum + event.value)
    })
    return { app, visits, sums }
  }
  const { app, visits, sums } = make()
  const disk = new TestDisk()
  const first = await startTestWorker(app, { log, disk })
  for (let n = 0; n < 40; n++) {
    await log.send(visits, { key: `k${n % 3}`, value: n, timestamp: start + n * second })
  }
  assert.ok(await first.caughtUp())
  const before = await log.clock.settle(Array.fromAsync(sums.scan()))
  assert.ok(before.length > 20)
  first.crash()
  for (const place of [disk, new TestDisk()]) {
    const { app, sums } = make()
    const worker = await startTestWorker(app, { log, disk: place })
    assert.ok(await worker.caughtUp())
    assert.deepEqual(await log.clock.settle(Array.fromAsync(sums.scan())), before)
    await worker.stop()
  }
})
