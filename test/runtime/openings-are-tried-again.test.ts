// A log that is away while tasks are opened: waited out as anywhere else, and said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, TailraceError } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { countingApp } from './counting-in-memory.ts'

async function filledLog(): Promise<TestLog> {
  const log = new TestLog()
  const { app, views } = countingApp()
  const first = await startTestWorker(app, { log })
  for (let i = 0; i < 3; i++) await log.send(views, { key: 'a', value: 1 })
  assert.ok(await first.caughtUp())
  await first.stop()
  return log
}

const away = { error: new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'nobody answers') }

const operations = ['admin.ranges', 'admin.committed', 'fetch'] as const

for (const failing of operations) {
  test(`a log whose ${failing} fails for a while is waited out by an opening`, async () => {
    const log = await filledLog()
    const { app, counts } = countingApp()
    const untilMs = log.clock.monotonic() + 60_000
    const worker = await startTestWorker(app, {
      log,
      faults: (operation) => {
        const isAway = operation === failing && log.clock.monotonic() < untilMs
        return isAway ? away : undefined
      }
    })
    assert.ok(log.clock.monotonic() >= untilMs)
    assert.equal((await log.clock.settle(counts.query('a'))).value, 3)
    await worker.stop()
  })
}

test('a log that stays away ends the worker after brokerTimeout, and not before', async () => {
  const log = await filledLog()
  const { app } = countingApp()
  const begunMs = log.clock.monotonic()
  await assert.rejects(
    startTestWorker(app, {
      log,
      settings: { brokerTimeoutMs: 20_000 },
      faults: (operation) => (operation === 'admin.ranges' ? away : undefined)
    }),
    (error) => hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')
  )
  assert.ok(log.clock.monotonic() - begunMs >= 20_000)
})

test('what waiting cannot mend ends the worker at once', async () => {
  const log = await filledLog()
  const { app } = countingApp()
  const begunMs = log.clock.monotonic()
  const refused = { error: new TailraceError('TAILRACE_TRANSPORT_FORBIDDEN', 'no right to read') }
  await assert.rejects(
    startTestWorker(app, {
      log,
      faults: (operation) => (operation === 'admin.committed' ? refused : undefined)
    }),
    (error) => hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN')
  )
  assert.ok(log.clock.monotonic() - begunMs < 10_000)
})
