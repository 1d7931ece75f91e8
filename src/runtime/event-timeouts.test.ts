// Timeouts of events against the time after which a worker ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from '../host/app.ts'
import { checkEventTimeouts } from './event-timeouts.ts'

test('a timeout that stallTimeout comes before is refused, and named', () => {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const source = app.topic('in')
  app.each('short', { source, timeout: '59s' }, () => undefined)
  app.each('long', { source, timeout: '1m' }, () => undefined)
  app.each('none', { source }, () => undefined)
  const topology = app.runner.topology()
  checkEventTimeouts(topology, { stallTimeoutMs: 60_001 })
  assert.throws(
    () => checkEventTimeouts(topology, { stallTimeoutMs: 60_000 }),
    /_CONFIG_INVALID: app "app" has one problem\s+agent "long": its timeout of 1m would/
  )
})
