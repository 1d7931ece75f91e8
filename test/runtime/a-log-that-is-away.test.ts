// A log that is away or slow where nobody waits for it: sends, stops, upkeep, restarts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, hasCode, TailraceError } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'
import { countingApp } from './counting-in-memory.ts'

const away = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'nobody answers')

test('a send that found nobody does not fail those that come later', async () => {
  const log = new TestLog()
  const { app, views } = countingApp()
  let isAway = true
  const worker = await startTestWorker(app, {
    log,
    faults: (operation) => (isAway && operation === 'producer.open' ? { error: away } : undefined)
  })
  await assert.rejects(log.clock.settle(views.send({ key: 'a', value: 1 })), (error) =>
    hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')
  )
  isAway = false
  await log.clock.settle(views.send({ key: 'a', value: 1 }))
  assert.equal(log.read(views).length, 1)
  await worker.stop()
})

test('a send that never ends does not keep a worker from stopping', async () => {
  const log = new TestLog()
  const { app, views } = countingApp()
  const worker = await startTestWorker(app, {
    log,
    settings: { shutdownTimeoutMs: 3_000 },
    faults: (operation) => (operation === 'producer.open' ? { delayMs: 600_000 } : undefined)
  })
  const sent = views.send({ key: 'a', value: 1 })
  sent.catch(() => undefined)
  const begunMs = log.clock.monotonic()
  await worker.stop()
  assert.ok(log.clock.monotonic() - begunMs <= 10_000)
})

test('commits go on while records that were read are deleted', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const views = app.topic('views', { key: z.string(), value: z.number(), partitions: 1 })
  const grouped = app
    .stream(views)
    .groupBy('by-value', ({ value }) => String(value), { partitions: 1 })
  app.each('nothing', { source: grouped }, () => undefined)
  let deletions = 0
  const worker = await startTestWorker(app, {
    log,
    settings: { commitIntervalMs: 100 },
    faults: (operation) => {
      if (operation !== 'admin.deleteRecords') return undefined
      deletions++
      return { delayMs: 20_000 }
    }
  })
  const limitMs = 1_000
  for (let second = 0; second < 40; second++) {
    await log.clock.advance(1_000)
    await log.send(views, { key: 'a', value: second })
    assert.ok(await worker.caughtUp(limitMs), `second ${second} was not committed in time`)
  }
  assert.ok(deletions > 0)
  await worker.stop()
})

test('a log that refuses every commit for two seconds does not end the worker', async () => {
  const log = new TestLog()
  const { app, counts, views } = countingApp()
  let untilMs = 0
  const fenced = new TailraceError('TAILRACE_TRANSPORT_FENCED', 'the member is not known')
  const worker = await startTestWorker(app, {
    log,
    faults: (operation) => {
      const isRefused = operation === 'transaction.end' && log.clock.monotonic() < untilMs
      return isRefused ? { error: fenced } : undefined
    }
  })
  untilMs = log.clock.monotonic() + 2_000
  await log.send(views, { key: 'a', value: 1 })
  assert.ok(await worker.caughtUp(), String(worker.ended?.error))
  assert.equal((await log.clock.settle(counts.query('a'))).value, 1)
  await worker.stop()
})
