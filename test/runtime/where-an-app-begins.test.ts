// `offsetReset`: where an app begins to read a topic that it never read, and only there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

for (const [offsetReset, first] of [
  ['earliest', [1, 2]],
  ['latest', []]
] as const) {
  test(`${offsetReset}: decides at the first start, and at no later one`, async () => {
    const log = new TestLog()
    const seen: number[] = []
    const app = createApp({ id: 'app', broker: 'memory:' })
    const numbers = app.topic('in', { value: z.number(), partitions: 1 })
    app.each('read', { source: numbers }, ({ value }) => void seen.push(value))
    const run = async (): Promise<void> => {
      const worker = await startTestWorker(app, { log, settings: { offsetReset } })
      assert.ok(await worker.caughtUp(), String(worker.ended?.error))
      await worker.stop()
    }
    for (const value of [1, 2]) await log.send(numbers, { value })
    await run()
    assert.deepEqual(seen, first)
    // What comes while no worker runs is read: the app has its place now.
    await log.send(numbers, { value: 3 })
    await run()
    assert.deepEqual(seen, [...first, 3])
  })
}
