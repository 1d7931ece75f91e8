// Which record of several topics is next: the smallest time, as far as can be told. What is known
// to be on its way is waited for; what may come is waited for as long as `taskIdle` says.
import assert from 'node:assert/strict'
import { z } from 'zod'
import type { AppOptions, Worker } from 'tailrace'
import { type EmbeddedLog, onLog, until } from './embedded-log.ts'

interface Merged {
  readonly worker: Worker
  readonly seen: number[]
}

async function merged(log: EmbeddedLog, options: Partial<AppOptions>): Promise<Merged> {
  const app = log.app(options)
  const value = z.number()
  const [left, right] = [app.topic('left', { value }), app.topic('right', { value })]
  const seen: number[] = []
  const source = app.stream(left).merge(app.stream(right))
  app.each('read', { source }, ({ value }) => void seen.push(value))
  return { worker: await log.start(app), seen }
}

/** Records whose values are their times. */
function timed(from: number, ...steps: readonly number[]): { value: string; timestamp: number }[] {
  return steps.map((step) => ({ value: String(step), timestamp: from + step }))
}

const start = Date.now() - 3_600_000

onLog('what is in the log is merged by time, however little an answer holds', async (log) => {
  for (const topic of ['left', 'right']) await log.create(topic)
  const even = Array.from({ length: 100 }, (_, n) => 2 * n)
  await log.put('left', timed(start, ...even))
  await log.put('right', timed(start, ...even.map((n) => n + 1)))
  // Small answers: one topic would run ahead of the other, were it not waited for.
  const { seen, worker } = await merged(log, { fetchBytesMax: 1_024, queueRecordsMax: 3 })
  await log.settled(worker, 'left', 'right')
  assert.deepEqual(
    seen,
    Array.from({ length: 200 }, (_, n) => n)
  )
})

onLog('a topic with nothing to read is waited for as long as was asked', async (log) => {
  for (const topic of ['left', 'right']) await log.create(topic)
  const { seen, worker } = await merged(log, { taskIdle: '10m' })
  await log.put('left', timed(start, 10))
  await until(() => worker.status().tasks[0]?.lag === 1, 'the later record is fetched')
  assert.deepEqual(seen, [])
  await log.put('right', timed(start, 5, 20))
  await until(() => seen.length === 2, 'both of the first two are read')
  // 20 waits in its turn for what the other topic may still bring.
  assert.deepEqual(seen, [5, 10])
})

onLog('without taskIdle what is there is taken', async (log) => {
  for (const topic of ['left', 'right']) await log.create(topic)
  const { seen, worker } = await merged(log, {})
  await log.put('left', timed(start, 10))
  await log.settled(worker, 'left')
  await log.put('right', timed(start, 5))
  await log.settled(worker, 'right')
  assert.deepEqual(seen, [10, 5])
})
