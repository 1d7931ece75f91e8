// When a worker is ready, and what `/ready` says until then: joining, restoring, stopping.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, createApp } from 'tailrace'
import { startTestWorker, TestLog, TestWorker } from 'tailrace/testing'
import { z } from 'zod'
import { silentLog } from '../../src/runtime/log.ts'
import { webHandler } from '../../src/web/routes.ts'

function countingApp() {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const words = app.topic('words', { key: z.string(), value: z.string(), partitions: 2 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source: words, tables: { counts } }, async ({ key, value }, { counts }) => {
    counts.update(key, (count) => count + 1)
    if (value === 'slow') await new Promise(() => undefined)
  })
  return { app, counts, words }
}

async function ready(app: App, worker: TestWorker): Promise<{ status: number; reason: string }> {
  const handler = webHandler({ pages: app.web, status: () => worker.status(), log: silentLog })
  const answer = await handler(new Request('http://x/ready/'))
  const { isReady, reason = '' } = (await answer.json()) as { isReady: boolean; reason?: string }
  assert.equal(isReady, answer.status === 200)
  return { status: answer.status, reason }
}

test('not ready while it joins and restores, and says how much is left; then ready', async () => {
  const log = new TestLog()
  const before = countingApp()
  const first = await startTestWorker(before.app, { log })
  for (let n = 0; n < 5_000; n++) await log.send(before.words, { key: `k${n}`, value: 'word' })
  assert.ok(await first.caughtUp())
  await first.stop()

  const { app, counts } = countingApp()
  const worker = new TestWorker(app, {
    log,
    diskDelay: () =>
      new Promise((resolve) => {
        log.clock.schedule(500, resolve)
      })
  })
  const said: string[] = []
  const starting = worker.start()
  let isStarted = false
  void starting.then(() => {
    isStarted = true
  })
  while (!isStarted) {
    const { reason, status } = await ready(app, worker)
    if (isStarted) break
    assert.equal(status, 503)
    if (said.at(-1) !== reason) said.push(reason)
    if (/restored/.test(reason)) {
      // A key of a table that is not whole yet is refused, and not answered with half of it.
      await assert.rejects(counts.query('k1'), /is being restored/)
    }
    await log.clock.advance(10)
  }
  assert.equal(said[0], 'the worker is joining its group')
  assert.ok(
    said.some((reason) => /^[12] of 2 tasks are being restored, \d+ records left$/.test(reason)),
    said.join('\n')
  )
  assert.deepEqual(await ready(app, worker), { status: 200, reason: '' })
  assert.equal((await counts.query('k1')).value, 1)
  assert.equal(worker.status().counters.restoredRecords, 5_000)
  await worker.stop()
})

test('not ready any more once it stops, although it still finishes an event', async () => {
  const log = new TestLog()
  const { app, words } = countingApp()
  const worker = await startTestWorker(app, { log, settings: { shutdownTimeoutMs: 2_000 } })
  await log.send(words, { key: 'a', value: 'slow' })
  await log.clock.advance(1_000)
  assert.equal((await ready(app, worker)).status, 200)
  const stopping = worker.runtime.stop({ reason: 'the test stops it' })
  await log.clock.advance(100)
  assert.deepEqual(await ready(app, worker), { status: 503, reason: 'the worker is stopping' })
  await log.clock.settle(stopping.catch(() => undefined))
  assert.equal((await ready(app, worker)).status, 503)
})
