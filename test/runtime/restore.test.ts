// Restores on a disk that is old, or that fails: what it says may be of another world.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from 'tailrace'
import { startTestWorker, TestDisk, TestLog } from 'tailrace/testing'
import { z } from 'zod'

const day = 86_400_000

function countingApp() {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const input = app.topic('in', { key: z.string(), value: z.number(), partitions: 1 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source: input, tables: { counts } }, (event, { counts }) => {
    if (event.value === 0) counts.delete(event.key ?? '')
    else counts.update(event.key ?? '', (count) => count + event.value)
  })
  return { app, input, counts }
}

test('a deletion that was compacted away since is not undone by an old disk', async () => {
  const log = new TestLog()
  const disk = new TestDisk()
  const run = async (
    events: readonly (readonly [string, number])[],
    on = new TestDisk()
  ): Promise<readonly (number | undefined)[]> => {
    const { app, counts, input } = countingApp()
    const worker = await startTestWorker(app, { log, disk: on })
    for (const [key, value] of events) await log.send(input, { key, value })
    assert.ok(await worker.caughtUp(), String(worker.ended?.error))
    const found = await log.clock.settle(Promise.all(['a', 'b'].map((key) => counts.query(key))))
    await worker.stop()
    return found.map(({ value }) => value)
  }
  assert.deepEqual(
    await run(
      [
        ['a', 5],
        ['b', 1]
      ],
      disk
    ),
    [5, 1]
  )
  // Another worker, with a disk of its own, deletes `a`.
  assert.deepEqual(
    await run([
      ['a', 0],
      ['b', 1]
    ]),
    [0, 2]
  )
  for (let pass = 0; pass < 3; pass++) {
    await log.clock.advance(2 * day)
    log.broker.maintain(true)
    await run([['b', 1]])
  }
  const changelog = log.readBytes('app-counts-changelog')
  assert.ok(!changelog.some(({ key }) => String(key) === 'a'), 'its tombstone is gone')
  assert.deepEqual(await run([], disk), [0, 5])
})

test('a disk that fails in a restore ends the worker by that error and no stray one', async () => {
  const log = new TestLog()
  const { app, input } = countingApp()
  const first = await startTestWorker(app, { log })
  await log.send(input, { key: 'a', value: 5 })
  assert.ok(await first.caughtUp())
  await first.stop()
  const full = new Error('the disk is full')
  const diskDelay = (operation: string): Promise<void> =>
    operation === 'write' ? Promise.reject(full) : Promise.resolve()
  const { app: again } = countingApp()
  await assert.rejects(startTestWorker(again, { log, diskDelay }), full)
})
