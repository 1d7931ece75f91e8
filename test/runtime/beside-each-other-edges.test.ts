// `each` with a concurrency where its parts meet: calls that were given up, places that are given
// on, buffers that are used again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, type Codec, createApp, raw, retry, skip } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'
import { committedOf, Hands, sendJobs } from './beside-each-other.ts'

const newApp = (): App => createApp({ id: 'app', broker: 'memory:' })

for (const concurrency of [1, 2]) {
  test(`a sink that settles after its call timed out sends nothing: ${concurrency}`, async () => {
    const log = new TestLog()
    const app = newApp()
    const jobs = app.topic('jobs', { key: z.string(), value: z.number(), partitions: 1 })
    const done = app.topic('done', { key: z.string(), value: z.string(), partitions: 1 })
    const seen: unknown[] = []
    const first = Promise.withResolvers<void>()
    const agent = app.each(
      'work',
      {
        source: jobs,
        concurrency,
        timeout: 1_000,
        onError: ({ attempts }) =>
          attempts === 1 ? retry({ times: 1, backoff: 1_000, max: 1_000 }) : skip
      },
      async ({ value }) => `answer ${value}`
    )
    let calls = 0
    agent.sink(
      () => (calls++ === 0 ? first.promise : undefined),
      (_answer, { value }) => {
        seen.push(value)
      },
      done
    )
    const worker = await startTestWorker(app, { log })
    await log.send(jobs, { key: 'a', value: 0 })
    await log.clock.advance(1_100)
    first.resolve()
    await log.clock.advance(50)
    await log.send(jobs, { key: 'b', value: 1 })
    await log.clock.advance(5_000)
    assert.deepEqual(
      log.read(done).map(({ value }) => value),
      ['answer 0', 'answer 1']
    )
    assert.deepEqual(
      [seen.length, new Set(seen)],
      [2, new Set([0, 1])],
      'nor does it call the sinks behind it'
    )
    await worker.stop()
  })
}

test('a place that a stop frees goes to an event that the stop still needs', async () => {
  const log = new TestLog()
  const waits = [0, 0, 50_000, 2_000, 3_000, 1_000]
  const hands = new Hands({
    concurrency: 2,
    isHeld: (id, attempt) => id === 0 || id === 6 || (id === 5 && attempt === 2),
    onError: ({ event }) => {
      const wait = waits[Number(event?.value)] ?? 0
      return retry({ times: 9, backoff: wait, max: wait })
    },
    failure: (id, attempt) => (id >= 2 && id <= 5 && attempt === 1 ? new Error('later') : undefined)
  })
  const worker = await hands.start(log, { settings: { shutdownTimeoutMs: 30_000 } })
  await sendJobs(log, hands, ['a', 'a', 'b', 'c', 'd', 'e', 'f'])
  await log.clock.advance(10_000)
  // 5 and 6 take both places; behind them 1 waits for one, and tries of others that a stop drops.
  hands.letGo(0)
  await log.clock.advance(50)
  const before = log.clock.monotonic()
  const stopped = worker.runtime.stop({ reason: 'the test stops it' })
  await log.clock.settle(stopped)
  assert.ok(log.clock.monotonic() - before < 5_000)
  assert.equal(committedOf(log), 2)
})

const reused = Buffer.alloc(1)
/** A codec that hands out the same bytes each time. */
const thrifty: Codec<Uint8Array> = {
  name: 'thrifty',
  encode: (value) => {
    reused.set(value)
    return reused
  },
  decode: (bytes) => Uint8Array.from(bytes)
}

for (const codec of [raw, thrifty]) {
  test(`what waits keeps its bytes when a handler reuses them: ${codec.name}`, async () => {
    const log = new TestLog()
    const app = newApp()
    const jobs = app.topic('jobs', { key: z.string(), value: z.number(), partitions: 1 })
    const value = z.instanceof(Uint8Array)
    const done = app.topic('done', { key: z.string(), value, codec, partitions: 1 })
    const first = Promise.withResolvers<void>()
    const scratch = Buffer.alloc(1)
    app.each(
      'work',
      { source: jobs, outputs: { done }, concurrency: 4 },
      async (event, { done }) => {
        scratch.write(`${event.value}`)
        done.send({ key: event.key, value: scratch, headers: { id: scratch } })
        if (event.value === 0) await first.promise
      }
    )
    const worker = await startTestWorker(app, { log })
    for (let id = 0; id < 5; id++) await log.send(jobs, { key: `${id}`, value: id })
    await log.clock.advance(50)
    first.resolve()
    await log.clock.advance(2_000)
    const sent = log
      .read(done)
      .map(({ headers, value }) => `${Buffer.from(value)} ${headers['id']}`)
    assert.deepEqual(sent, ['0 0', '1 1', '2 2', '3 3', '4 4'])
    await worker.stop()
  })
}

test('no place stays empty while an event waits for one', async () => {
  const log = new TestLog()
  const app = newApp()
  const jobs = app.topic('jobs', { key: z.string(), value: z.number(), partitions: 1 })
  const inFirst = new Map<number, () => void>()
  const inSecond = new Map<number, () => void>()
  const hold = (held: Map<number, () => void>, id: number): Promise<void> =>
    new Promise((resolve) => held.set(id, resolve))
  app.each('first', { source: jobs, concurrency: 8 }, ({ value }) => hold(inFirst, value))
  app.each('second', { source: jobs, concurrency: 2 }, ({ value }) => hold(inSecond, value))
  const worker = await startTestWorker(app, { log })
  const send = async (ids: readonly number[]): Promise<void> => {
    for (const id of ids) await log.send(jobs, { key: `${id}`, value: id })
    await log.clock.advance(20)
  }
  const end = async (held: Map<number, () => void>, ...ids: readonly number[]): Promise<void> => {
    for (const id of ids) {
      held.get(id)?.()
      held.delete(id)
      await log.clock.advance(20)
    }
  }
  await send([0, 1, 2, 3, 4, 5])
  // 0 and 2 are in the second agent; 3, 1, 4 and 5 wait for it, in this order.
  await end(inFirst, 0, 2, 3, 1, 4, 5)
  // 0 is accepted: 1 is the first now, and asks again.
  await end(inSecond, 0, 2, 3, 4)
  await send([6, 7, 8])
  await end(inFirst, 6, 7, 8)
  await end(inSecond, 5)
  assert.equal(inSecond.size, 2)
  await worker.stop({ isCold: true })
})

test('rows that wait for an earlier event count against what is held', async () => {
  const log = new TestLog()
  const app = newApp()
  const jobs = app.topic('jobs', { key: z.string(), value: z.number(), partitions: 1 })
  const rows = app.table('rows', { key: z.string(), value: z.string() })
  const first = Promise.withResolvers<void>()
  let calls = 0
  app.each('work', { source: jobs, tables: { rows }, concurrency: 64 }, (event, { rows }) => {
    calls++
    if (event.value === 0) return first.promise
    rows.set(event.key, 'x'.repeat(50_000))
    return undefined
  })
  const worker = await startTestWorker(app, { log })
  for (let id = 0; id < 200; id++) await log.send(jobs, { key: `${id}`, value: id })
  await log.clock.advance(2_000)
  assert.ok(calls > 10 && calls < 100, `${calls} calls`)
  first.resolve()
  await log.clock.advance(2_000)
  assert.equal(calls, 200)
  await worker.stop()
})
