// A member goes on beating whatever the log answers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, TailraceError } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'

test('a wait for changes that fails does not end the heartbeats', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  app.each('read', { source: app.topic('in', { partitions: 1 }) }, () => undefined)
  let isBroken = false
  const error = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'the test broke it')
  const faults = (operation: string): { error: Error } | undefined =>
    isBroken && operation === 'group.changed' ? { error } : undefined
  const worker = await startTestWorker(app, { log, faults })
  isBroken = true
  // Longer than the session: without heartbeats its tasks would be given away.
  await log.clock.advance(10_000)
  assert.equal(worker.ended, undefined)
  assert.equal(log.broker.group('app').view().members.length, 1)
  assert.equal(worker.status().generation, 1)
  await worker.stop()
})

test('a refused release is tried again after a pause, and the task moves in the end', async () => {
  const log = new TestLog()
  const appOf = (): ReturnType<typeof createApp> => {
    const app = createApp({ id: 'app', broker: 'memory:' })
    app.each('read', { source: app.topic('in', { partitions: 2 }) }, () => undefined)
    return app
  }
  const error = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'the test broke it')
  let refusals = 0
  // Bounded, so that a loop without a pause fails this test instead of hanging it.
  const faults = (operation: string): { error: Error } | undefined =>
    operation === 'group.release' && log.clock.monotonic() < 1_500 && ++refusals < 1_000
      ? { error }
      : undefined
  const first = await startTestWorker(appOf(), { log, faults })
  await log.clock.advance(500)
  const second = await startTestWorker(appOf(), { log, instanceId: 'worker-2' })
  await log.clock.advance(5_000)
  assert.ok(refusals > 0 && refusals < 50, `${refusals} tries in a second`)
  for (const worker of [first, second]) {
    assert.equal(worker.status().tasks.length, 1)
    await worker.stop()
  }
})
