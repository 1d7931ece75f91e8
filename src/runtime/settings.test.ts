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

test('a transaction outlives all that our own limits allow one after the other', () => {
  assert.equal(transactionTimeoutMs(defaultSettings), 390_100)
  for (const [commitIntervalMs, stallTimeoutMs, commitTimeoutMs] of [
    [3_600_000, 1_000, 1],
    [1, 86_400_000, 30_000],
    [100, 1_000, 600_000]
  ] as const) {
    const settings = { ...defaultSettings, commitIntervalMs, stallTimeoutMs, commitTimeoutMs }
    const longestMs = commitIntervalMs + stallTimeoutMs + 2 * commitTimeoutMs
    assert.ok(transactionTimeoutMs(settings) > longestMs)
  }
})
