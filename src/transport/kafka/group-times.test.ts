// The times of a group where nobody says them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupTimesOf } from './group-times.ts'

test('three beats fit into a session that names no heartbeat', () => {
  assert.deepEqual(groupTimesOf({}), { sessionTimeoutMs: 45_000, heartbeatMs: 3_000 })
  const short = { sessionTimeoutMs: 1_000 }
  assert.deepEqual(groupTimesOf(short), { sessionTimeoutMs: 1_000, heartbeatMs: 333 })
  const given = { sessionTimeoutMs: 6_000, heartbeatMs: 5_000 }
  assert.deepEqual(groupTimesOf(given), given)
})
