// An old and a new version of an app in one group: what they count alike is counted once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from 'tailrace'
import { startTestWorker, TestLog, type TestWorker } from 'tailrace/testing'
import { z } from 'zod'

const partitions = 2

/** Versions differ in the name of their group: tasks with other sources write the same table. */
function version(group: string) {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const orders = app.topic('orders', { key: z.string(), value: z.number(), partitions })
  const sums = app.table('sums', { key: z.string(), value: z.number(), initial: () => 0 })
  const source = app.stream(orders).groupBy(group, ({ value }) => `d${value % 10}`)
  app.each('sum', { source, tables: { sums } }, ({ key, value }, { sums }) => {
    sums.update(key, (sum) => sum + value)
  })
  return { app, orders, sums }
}

const writersOf = (workers: readonly TestWorker[], partition: number): string[] =>
  workers.flatMap((worker) =>
    worker
      .status()
      .tasks.filter(({ id }) => id.endsWith(`sums/${partition}`))
      .map(({ id }) => id)
  )

test('a table has one writer, also while two versions feed it from different topics', async () => {
  const log = new TestLog()
  const old = version('digit')
  const mended = version('last-digit')
  const before = await startTestWorker(old.app, { log, instanceId: 'old' })
  const workers = [before]
  const expected: Record<string, number> = {}
  let next = 0
  const feed = async (): Promise<void> => {
    for (let n = 0; n < 40; n++, next++) {
      await log.send(old.orders, { key: `k${next % 7}`, value: next })
      expected[`d${next % 10}`] = (expected[`d${next % 10}`] ?? 0) + next
    }
    await log.clock.advance(2_000)
    for (let partition = 0; partition < partitions; partition++) {
      assert.equal(writersOf(workers, partition).length, 1, `sums/${partition}`)
    }
  }
  await feed()
  const after = await startTestWorker(mended.app, { log, instanceId: 'new' })
  workers.push(after)
  await feed()
  assert.ok(before.status().tasks.length > 0 && after.status().tasks.length > 0)
  await feed()
  workers.shift()
  await before.stop()
  await log.clock.advance(2_000)
  await feed()
  assert.ok(await after.caughtUp())
  const sums = Object.fromEntries(await log.clock.settle(Array.fromAsync(mended.sums.scan())))
  assert.deepEqual(sums, expected)
  await after.stop()
})
