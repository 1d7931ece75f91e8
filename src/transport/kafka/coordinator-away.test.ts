// A broker that was away and is back while a join waits for other members: it answers, and beats
// must not say for as long as that takes that it does not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { KafkaCoordinator } from './coordinator.ts'
import type { GroupWire } from './group-wire.ts'
import { KafkaFailure, kafka, local } from './protocol-failure.ts'

const request = {
  group: 'g',
  memberId: 'worker',
  topologyHash: 'h',
  tasks: [],
  sessionTimeoutMs: 10_000,
  heartbeatMs: 20,
  url: undefined,
  instanceId: 'static'
}

test('a join that lasts is no sign that the broker is away', { timeout: 30_000 }, async () => {
  let isAway = true
  let reached = 0
  let joins = 0
  let sleptMs = 0
  const clock: Clock = { ...realClock, monotonic: () => realClock.monotonic() + sleptMs }
  const gone = (): KafkaFailure => new KafkaFailure(local.connectionLost, 'asking')
  const wire: GroupWire = {
    join: () => {
      joins++
      return isAway ? Promise.reject(gone()) : new Promise(() => undefined)
    },
    sync: () => Promise.reject(gone()),
    heartbeat: () => Promise.reject(gone()),
    leave: async () => kafka.none,
    reach: async () => {
      reached++
      if (isAway) throw gone()
    }
  }
  const coordinator = new KafkaCoordinator({
    clock,
    wire: () => wire,
    strangers: async () => [],
    fence: async () => undefined,
    evict: async () => kafka.none,
    close: async () => undefined
  })
  const unavailable = (error: unknown): boolean => hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')
  const joining = coordinator.join(request)
  while (joins < 2) await realClock.turn()
  sleptMs += 2_000
  // The second of these was told of by then.
  while (joins < 4) await realClock.turn()
  await assert.rejects(coordinator.beat(), unavailable)
  assert.ok(reached > 0)
  isAway = false
  const before = joins
  while (joins === before) await realClock.turn()
  const answer = await coordinator.beat()
  assert.deepEqual([answer.isPending, answer.isLost], [true, false])
  await coordinator.leave()
  await coordinator.close()
  await joining
})
