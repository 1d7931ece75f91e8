// A log that was reached and goes away before the worker has joined: waited out, said, and left
// when the worker is told to stop.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, TailraceError } from 'tailrace'
import { startTestWorker, TestLog, TestWorker } from 'tailrace/testing'
import { countingApp } from './counting-in-memory.ts'

const away = { error: new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'nobody answers') }
/** As a request whose broker is gone: the transport itself would give up after 30 s. */
const silence = { delayMs: 3_600_000 }

const operations = ['admin.describe', 'admin.create', 'transaction.open'] as const

for (const failing of operations) {
  test(`a start goes on when ${failing} succeeds after a minute`, async () => {
    const log = new TestLog()
    const { app, counts, views } = countingApp()
    const untilMs = log.clock.monotonic() + 60_000
    const worker = await startTestWorker(app, {
      log,
      faults: (operation) => {
        return operation === failing && log.clock.monotonic() < untilMs ? away : undefined
      }
    })
    assert.ok(log.clock.monotonic() >= untilMs)
    await log.send(views, { key: 'a', value: 1 })
    assert.ok(await worker.caughtUp())
    assert.equal((await log.clock.settle(counts.query('a'))).value, 1)
    await worker.stop()
  })

  for (const [how, fault] of [
    ['fails', away],
    ['is not answered', silence]
  ] as const) {
    test(`a start whose ${failing} ${how} ends at brokerTimeout, and says so`, async () => {
      const log = new TestLog()
      const { app } = countingApp()
      const begunMs = log.clock.monotonic()
      await assert.rejects(
        startTestWorker(app, {
          log,
          settings: { brokerTimeoutMs: 20_000 },
          faults: (operation) => (operation === failing ? fault : undefined)
        }),
        (error: Error) =>
          hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE') &&
          /has not answered for brokerTimeout \(20s\)/.test(error.message)
      )
      const passedMs = log.clock.monotonic() - begunMs
      assert.ok(passedMs >= 20_000 && passedMs < 30_000, `${passedMs} ms`)
    })
  }

  test(`waiting for ${failing}: not ready, says why, and can be stopped`, async () => {
    const log = new TestLog()
    const { app } = countingApp()
    const worker = new TestWorker(app, {
      log,
      faults: (operation) => (operation === failing ? silence : undefined)
    })
    const starting = worker.start()
    starting.catch(() => undefined)
    await log.clock.advance(7_000)
    assert.match(worker.status().reason ?? '', /the broker has not answered for/)
    const begunMs = log.clock.monotonic()
    await worker.stop()
    await log.clock.settle(starting.catch(() => undefined))
    assert.ok(log.clock.monotonic() - begunMs < 3_000)
    assert.deepEqual(worker.ended, { error: undefined })
  })
}

test('what waiting cannot mend ends a start at once', async () => {
  const log = new TestLog()
  const { app } = countingApp()
  const begunMs = log.clock.monotonic()
  const refused = { error: new TailraceError('TAILRACE_TRANSPORT_FORBIDDEN', 'no right to it') }
  await assert.rejects(
    startTestWorker(app, {
      log,
      faults: (operation) => (operation === 'admin.create' ? refused : undefined)
    }),
    (error) => hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN')
  )
  assert.ok(log.clock.monotonic() - begunMs < 5_000)
})
