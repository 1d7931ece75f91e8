// Windows beyond their retention: hidden at once, deleted a slice at a time between commits, and
// work goes on meanwhile. What is deleted does not come back from the changelog.
import assert from 'node:assert/strict'
import { tumbling } from 'tailrace'
import { z } from 'zod'
import { onLog, until } from './embedded-log.ts'
import { type Watch, watchedStore } from './store-watch.ts'

const rows = 12_000
const minuteMs = 60_000

onLog('12,000 rows of one window go in slices, with events between them', async (log) => {
  const cleared: number[] = []
  const sums: number[] = []
  const watch: Watch = {
    onClear: (count) => {
      cleared.push(count)
      sums.push(fed)
    }
  }
  let fed = 0
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
    fed++
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
  const total = (): number => cleared.reduce((sum, count) => sum + count, 0)
  await until(async () => {
    await source.send({ key: 'now', value: 1, timestamp: start + 60 * minuteMs })
    return total() >= rows
  }, 'all expired rows are deleted')
  assert.equal(total(), rows)
  assert.ok(cleared.length >= 3, `${cleared}`)
  assert.ok(Math.max(...cleared) <= 5_000, `${cleared}`)
  // Events were worked on between the first slice and the last.
  assert.ok((sums.at(-1) ?? 0) > (sums[0] ?? 0), `${sums}`)
  await worker.stop()

  // Neither a restart nor a restore from the changelog shows them again.
  for (const directory of ['tables', 'fresh']) {
    const again = await log.start(app, { store: () => watchedStore(log.place(directory), watch) })
    const left = await Array.fromAsync(counts.scan(), ([key]) => key)
    await again.stop()
    assert.deepEqual(left, ['now'])
  }
})
