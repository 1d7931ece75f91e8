// The times that follow from settings: what waits for something lasts longer than that.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultSettings, rebalanceTimeoutMs, transactionTimeoutMs } from './settings.ts'

test('a rebalance waits for a commit and for the beats around it, and for a session', () => {
  const member = { sessionTimeoutMs: 45_000, heartbeatMs: 3_000 }
  for (const commitTimeoutMs of [1, 30_000, 39_000, 39_001, 600_000]) {
    const ms = rebalanceTimeoutMs({ ...defaultSettings, commitTimeoutMs }, member)
    assert.ok(ms >= member.sessionTimeoutMs)
    assert.ok(ms >= commitTimeoutMs + 2 * member.heartbeatMs)
  }
})

test('a transaction outlives the longest event', () => {
  assert.equal(transactionTimeoutMs({ ...defaultSettings, stallTimeoutMs: 300_000 }), 330_000)
})
