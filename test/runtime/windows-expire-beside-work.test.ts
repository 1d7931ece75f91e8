// Windows beyond their retention: hidden at once, and deleted while events and commits go on. What
// is deleted does not come back from the changelog.
import assert from 'node:assert/strict'
import { tumbling } from 'tailrace'
import { z } from 'zod'
import { onLog, until } from './embedded-log.ts'
import { type Watch, watchedStore } from './store-watch.ts'

const rows = 2_000
const minuteMs = 60_000

onLog('work goes on while the rows of an old window are deleted', async (log) => {
  const cleared: number[] = []
  let begun = 0
  const disk = Promise.withResolvers<void>()
  const watch: Watch = {
    onClear: async (count) => {
      begun++
      await disk.promise
      cleared.push(count)
    }
  }
  const app = log.app({ store: () => watchedStore(log.place('tables'), watch), commitInterval: 20 })
  const source = app.topic('in', { key: z.string(), value: z.number(), partitions: 1 })
  const window = tumbling('1m', { grace: '1m', retention: '10m' })
  const counts = app.table('counts', {
    key: z.string(),
    value: z.number(),
    initial: () => 0,
    window
  })
  app.each('count', { source, tables: { counts } }, (event, { counts }) => {
    counts.at(event).update(event.key, (count) => count + event.value)
  })
  const start = Math.floor(Date.now() / minuteMs) * minuteMs - 60 * minuteMs
  const worker = await log.start(app)
  await Promise.all(
    Array.from({ length: rows }, (_, index) =>
      source.send({ key: `key-${index}`, value: 1, timestamp: start })
    )
  )
  await log.settled(worker, 'in')
  const stored = async (): Promise<number> => {
    const found = await Array.fromAsync(counts.scan({ limit: rows * 2 }))
    return found.length
  }
  assert.equal(await stored(), rows)
  assert.deepEqual(cleared, [])

  // An hour later: the window is over, and its rows are hidden before any of them is deleted.
  await source.send({ key: 'now', value: 1, timestamp: start + 60 * minuteMs })
  await log.settled(worker, 'in')
  assert.equal(await stored(), 1)
  const work = async (): Promise<void> => {
    await source.send({ key: 'now', value: 1, timestamp: start + 60 * minuteMs })
    await log.settled(worker, 'in')
  }
  await until(async () => {
    await work()
    return begun > 0
  }, 'the window is about to be deleted')
  // The disk takes its time, and nobody waits for it.
  for (let round = 0; round < 10; round++) await work()
  assert.deepEqual(cleared, [])
  const stopped = worker.stop()
  disk.resolve()
  await stopped
  // A stop waits for what it began: the store is closed after it.
  assert.deepEqual(cleared, [rows])

  // Neither a restart nor a restore from the changelog shows them again.
  for (const directory of ['tables', 'fresh']) {
    const again = await log.start(app, { store: () => watchedStore(log.place(directory), watch) })
    const left = await Array.fromAsync(counts.scan(), ([key]) => key)
    await again.stop()
    assert.deepEqual(left, ['now'])
  }
})
