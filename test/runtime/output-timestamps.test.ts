// A timestamp that no record can have fails the event that sends it, and nothing else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, hasCode, skip } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

test('an output with an impossible timestamp fails its event, and the worker goes on', async () => {
  const log = new TestLog()
  const errors: unknown[] = []
  const app = createApp({ id: 'app', broker: 'memory:' })
  const input = app.topic('in', { value: z.number(), partitions: 1 })
  const out = app.topic('out', { value: z.number(), partitions: 1 })
  const impossible = [1e300, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]
  app.each(
    'copy',
    {
      source: input,
      outputs: { out },
      onError: ({ error }) => {
        errors.push(error)
        return skip
      }
    },
    (event, { out }) => {
      const timestamp = impossible[event.value - 1] ?? 5.5
      out.send({ value: event.value, timestamp })
    }
  )
  const worker = await startTestWorker(app, { log })
  try {
    const values = [0, 1, 2, 3, 4, 5]
    for (const value of values) await log.send(input, { value })
    assert.ok(await worker.caughtUp(), String(worker.ended?.error))
    assert.deepEqual(
      log.read(out).map(({ value, timestamp }) => [value, timestamp]),
      [
        [0, 5],
        [5, 5]
      ]
    )
    assert.equal(errors.length, impossible.length)
    for (const error of errors) assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'))
    await assert.rejects(log.send(input, { value: 1, timestamp: 1e300 }), (error) =>
      hasCode(error, 'TAILRACE_CONFIG_INVALID')
    )
  } finally {
    await worker.stop()
  }
})
