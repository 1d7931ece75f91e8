// `stateCleanup`: tables of tasks that moved away are kept for a while: tasks often come back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from 'tailrace'
import { startTestWorker, TestDisk, TestLog, type TestWorker } from 'tailrace/testing'
import { z } from 'zod'

const partitions = 4
const stateCleanupMs = 60_000

function countingApp() {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const input = app.topic('in', { key: z.string(), value: z.number(), partitions })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source: input, tables: { counts } }, ({ key }, { counts }) => {
    counts.update(key, (count) => count + 1)
  })
  return { app, input }
}

const tasksOf = (worker: TestWorker): number => worker.status().tasks.length

test('deleted after the time, not before, and not where the task came back', async () => {
  const log = new TestLog()
  const disk = new TestDisk()
  const shards = async (): Promise<number> => (await disk.connect().shards()).length
  const { app, input } = countingApp()
  const first = await startTestWorker(app, { log, disk, settings: { stateCleanupMs } })
  for (let n = 0; n < 40; n++) await log.send(input, { key: `key-${n}`, value: 1 })
  assert.ok(await first.caughtUp())
  assert.equal(await shards(), partitions)

  const join = (): Promise<TestWorker> =>
    startTestWorker(countingApp().app, { log, instanceId: 'worker-2' })
  const second = await join()
  await log.clock.advance(stateCleanupMs / 2)
  assert.ok(tasksOf(first) < partitions, 'tasks moved')
  assert.equal(await shards(), partitions, 'and their tables are still there')

  await second.stop()
  await log.clock.advance(stateCleanupMs)
  assert.equal(tasksOf(first), partitions)
  assert.equal(await shards(), partitions, 'they came back in time')

  const third = await join()
  await log.clock.advance(2 * stateCleanupMs)
  assert.equal(await shards(), tasksOf(first), 'those that stayed away are gone')
  assert.ok(tasksOf(first) < partitions)
  await third.stop()
  await first.stop()
})
