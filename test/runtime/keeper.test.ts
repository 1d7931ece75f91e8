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
