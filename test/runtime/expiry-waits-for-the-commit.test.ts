// Expired windows are deleted by what is committed: what a crash takes back reads them again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, tumbling } from 'tailrace'
import { startTestWorker, TestDisk, TestLog } from 'tailrace/testing'
import { z } from 'zod'

const start = Date.UTC(2026, 0, 1)
const hour = 3_600_000

function sumsApp() {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const numbers = app.topic('numbers', { key: z.string(), value: z.number(), partitions: 1 })
  const seen = app.topic('seen', { key: z.string(), value: z.number(), partitions: 1 })
  const window = tumbling('1m', { retention: '1m' })
  const sums = app.table('sums', { key: z.string(), value: z.number(), initial: () => 0, window })
  const uses = { source: numbers, tables: { sums }, outputs: { seen } }
  app.each('sum', uses, ({ key, timestamp, value }, { seen, sums }) => {
    seen.send({ key, value: sums.at(timestamp).update(key, (sum) => sum + value) })
  })
  return { app, numbers, seen }
}

test('a crash after a record expired windows, and before that record was committed', async () => {
  const log = new TestLog({ startMs: start + 3 * hour })
  const disk = new TestDisk()
  const { app, numbers, seen } = sumsApp()
  let endMs = 0
  const worker = await startTestWorker(app, {
    log,
    disk,
    faults: (operation) => (operation === 'transaction.end' ? { delayMs: endMs } : undefined)
  })
  const send = (value: number, afterMs: number): Promise<unknown> =>
    log.send(numbers, { key: 'a', value, timestamp: start + afterMs })
  await send(5, 0)
  assert.ok(await worker.caughtUp())
  // A commit takes 3 s, and meanwhile come a record of the same window and one that ends it.
  endMs = 3_000
  await log.clock.advance(1_100)
  await send(1, 10)
  await log.clock.advance(600)
  await send(2, 20)
  await send(7, hour)
  const committed = (): number | undefined =>
    log.broker.committed('app', [{ topic: 'numbers', partition: 0 }])[0]?.offset
  while (committed() !== 2) await log.clock.advance(100)
  // Time enough for what comes between two commits, and not for the second.
  await log.clock.advance(1_500)
  assert.equal(committed(), 2)
  assert.equal(worker.status().tasks[0]?.positions['numbers'], 4)
  worker.crash()

  const next = sumsApp()
  const again = await startTestWorker(next.app, { log, disk })
  assert.ok(await again.caughtUp())
  await again.stop()
  assert.deepEqual(
    log.read(seen).map(({ value }) => value),
    [5, 6, 8, 7]
  )
})
