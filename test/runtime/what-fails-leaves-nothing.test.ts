// The undo: whichever way an event ends that did not succeed, no write and no output of it stays.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, hasCode, retry, skip } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

function scene() {
  const app = createApp({ id: 'app', broker: 'memory:', onError: skip })
  const words = app.topic('words', { key: z.string(), value: z.string(), partitions: 1 })
  const told = app.topic('told', { key: z.string(), value: z.string(), partitions: 1 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  return { app, words, told, counts, uses: { tables: { counts }, outputs: { told } } }
}

async function sendAll(log: TestLog, { words }: ReturnType<typeof scene>): Promise<void> {
  for (const value of ['good', 'bad', 'good']) await log.send(words, { key: 'a', value })
}

for (const way of ['throws', 'breaks', 'returns', 'throws into its own catch'] as const) {
  test(`a loop that ${way} takes the open event back`, async () => {
    const log = new TestLog()
    const { app, counts, told, uses, words } = scene()
    app.agent('count', { source: words, ...uses }, async (events, { counts, told }) => {
      const work = async (): Promise<void> => {
        for await (const { key, value } of events) {
          counts.update(key, (count) => count + 1)
          told.send({ key, value })
          await Promise.resolve()
          counts.update(key, (count) => count + 10)
          if (value === 'good') continue
          if (way === 'breaks') break
          if (way === 'returns') return
          throw new Error('bad')
        }
      }
      if (way === 'throws into its own catch') await work().catch(() => undefined)
      else await work()
    })
    await sendAll(log, { app, counts, told, uses, words })
    const worker = await startTestWorker(app, { log })
    assert.ok(await worker.caughtUp())
    assert.equal((await counts.query('a')).value, 22)
    assert.deepEqual(
      log.read(told).map(({ value }) => value),
      ['good', 'good']
    )
    assert.equal(worker.status().counters.skipped, 1)
    await worker.stop()
  })
}

test('what a call that was given up still writes and sends is refused', async () => {
  const log = new TestLog()
  const { app, counts, told, uses, words } = scene()
  const refusals: unknown[] = []
  const slow = { source: words, ...uses, timeout: '1s' } as const
  app.each('count', slow, async ({ key, value }, { counts, told }) => {
    counts.update(key, (count) => count + 1)
    if (value === 'bad') {
      // It wakes while the event after it is open.
      await worker.clock.pause(1_500)
      for (const late of [
        () => counts.update(key, (count) => count + 100),
        () => counts.delete(key),
        () => told.send({ key, value })
      ]) {
        assert.throws(late, (error) => refusals.push(error) > 0)
      }
    }
    await worker.clock.pause(900)
  })
  await sendAll(log, { app, counts, told, uses, words })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  await log.clock.advance(3_000)
  assert.equal(refusals.length, 3)
  assert.ok(refusals.every((error) => hasCode(error, 'TAILRACE_AGENT_NO_EVENT')))
  assert.equal((await counts.query('a')).value, 2)
  assert.deepEqual(log.read(told), [])
  await worker.stop()
})

test('the second agent of a record fails: what the first did stays, once', async () => {
  const log = new TestLog()
  const { app, counts, told, uses, words } = scene()
  app.each('count', { source: words, ...uses }, ({ key, value }, { counts, told }) => {
    told.send({ key, value: `${value} ${counts.update(key, (count) => count + 1)}` })
  })
  const seen: number[] = []
  app.each(
    'check',
    {
      source: words,
      reads: { counts },
      outputs: { told },
      onError: retry({ times: 2, backoff: 10, otherwise: skip })
    },
    ({ key, value }, { counts, told }) => {
      seen.push(counts.get(key))
      told.send({ key, value: 'checked' })
      if (value === 'bad') throw new Error('bad')
    }
  )
  await sendAll(log, { app, counts, told, uses, words })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(
    log.read(told).map(({ value }) => value),
    ['good 1', 'checked', 'bad 2', 'good 3', 'checked']
  )
  assert.deepEqual(seen, [0, 1, 1, 1, 2], 'a reader sees the table as it was before the record')
  await worker.stop()
})

test('a loop whose row cannot be committed is ended, so that its `finally` runs', async () => {
  const log = new TestLog()
  const { app, counts, told, uses, words } = scene()
  const ends: string[] = []
  app.agent('count', { source: words, ...uses }, async (events, { counts }) => {
    let last = ''
    try {
      for await (const { key, value } of events) {
        last = value
        counts.update(key, (count) => count + 1)
        if (value === 'bad') counts.set('x'.repeat(2_000), 1)
      }
    } finally {
      ends.push(last)
    }
  })
  await sendAll(log, { app, counts, told, uses, words })
  const worker = await startTestWorker(app, { log, settings: { recordBytesMax: 1_000 } })
  assert.ok(await worker.caughtUp())
  // Once for the commit that failed, where all three had been worked on, then by the bad one.
  assert.deepEqual(ends, ['good', 'bad'])
  assert.equal((await counts.query('a')).value, 2)
  await worker.stop()
})
