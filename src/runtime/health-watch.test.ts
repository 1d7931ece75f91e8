// Every limit of a node by itself, and that what is well is left alone however long it lasts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Health, type HealthReading, HealthWatch } from './health-watch.ts'
import type { HealthLimits } from './node-place.ts'

const limits: HealthLimits = {
  pollMs: 300_000,
  eventMs: 300_000,
  memoryBytes: undefined,
  membershipMs: 600_000,
  loopMs: 300_000,
  heapPercent: 95,
  restoreMs: 600_000
}

const event = { topic: 'jobs', partition: 1, offset: 7, agent: 'work' }

const idle: HealthReading = {
  tickMs: 0,
  polls: 0,
  isPolling: true,
  restoring: 0,
  restored: 0,
  heapPercent: 10,
  events: [],
  isSettled: true,
  rssBytes: 100_000_000
}

const lookMs = 250

/** Looks for so long; `change` says what each look differs in. The last judgement. */
function watched(
  forMs: number,
  change: (look: number) => Partial<HealthReading>,
  changed: Partial<HealthLimits> = {}
): Health {
  const watch = new HealthWatch({ ...limits, ...changed })
  let health: Health | undefined
  for (let look = 0; look * lookMs <= forMs; look++) {
    const lives = { tickMs: look, polls: look }
    health = watch.look({ ...idle, ...lives, ...change(look) }, lookMs)
  }
  return health ?? assert.fail('no look')
}

const day = 86_400_000

test('idle and healthy is well, however long', () => {
  assert.deepEqual(
    watched(day, () => ({})),
    { code: 0, reason: undefined }
  )
})

test('1: the log is not asked, though the loop runs', () => {
  const stuck = (): Partial<HealthReading> => ({ polls: 5 })
  assert.equal(watched(300_000, stuck).code, 0)
  const { code, reason } = watched(301_000, stuck)
  assert.equal(code, 1)
  assert.match(reason ?? '', /has not asked the log for 5m/)
  assert.equal(watched(day, () => ({ polls: 5, isPolling: false })).code, 0, 'quiet, or stopping')
})

test('2: one event for too long; many short ones are none', () => {
  const { code, reason } = watched(301_000, () => ({ events: [event] }))
  assert.equal(code, 2)
  assert.match(reason ?? '', /agent "work" works on "jobs" partition 1 offset 7 for 5m/)
  assert.equal(watched(299_000, () => ({ events: [event] })).code, 0)
  const short = (look: number): Partial<HealthReading> => ({ events: [{ ...event, offset: look }] })
  assert.equal(watched(day, short).code, 0)
})

test('2: a fast agent does not hide a slow one', () => {
  const both = (look: number): Partial<HealthReading> => ({
    events: [{ ...event, agent: 'fast', partition: 0, offset: look }, event]
  })
  assert.equal(watched(301_000, both).code, 2)
})

test('3: memory, off until it is set', () => {
  const much = (): Partial<HealthReading> => ({ rssBytes: 2e9 })
  assert.equal(watched(1_000, much).code, 0)
  const { code, reason } = watched(1_000, much, { memoryBytes: 1e9 })
  assert.equal(code, 3)
  assert.match(reason ?? '', /2000 MB resident, and may have 1000/)
})

test('4: a group that does not settle', () => {
  const open = (): Partial<HealthReading> => ({ isSettled: false })
  assert.equal(watched(600_000 - lookMs, open).code, 0)
  assert.equal(watched(601_000, open).code, 4)
  const now = (look: number): Partial<HealthReading> => ({ isSettled: look % 1_000 === 0 })
  assert.equal(watched(day, now).code, 0, 'it settles now and then')
})

test('5: a blocked loop, which also asks and restores nothing, is told as that', () => {
  const blocked = (): Partial<HealthReading> => ({
    tickMs: 5,
    polls: 5,
    restoring: 1,
    isSettled: false,
    events: [event]
  })
  const { code, reason } = watched(302_000, blocked, { eventMs: day })
  assert.equal(code, 5)
  assert.match(reason ?? '', /its loop has been blocked for 5m.*offset 7/)
  assert.equal(watched(299_000, blocked).code, 0)
})

test('6: the heap', () => {
  assert.equal(watched(1_000, () => ({ heapPercent: 95 })).code, 0)
  assert.equal(watched(1_000, () => ({ heapPercent: 95.1 })).code, 6)
})

test('7: a restore that does not come further; a slow one does', () => {
  assert.equal(watched(601_000, () => ({ restoring: 2, restored: 7 })).code, 7)
  const slow = (look: number): Partial<HealthReading> => {
    return { restoring: 2, restored: Math.floor(look / 2_000) }
  }
  assert.equal(watched(day, slow).code, 0)
})

test('a time that the whole process slept is none of these: looks pass a bounded time', () => {
  const watch = new HealthWatch(limits)
  for (let look = 0; look < 10; look++) {
    assert.equal(watch.look({ ...idle, events: [event] }, 2 * lookMs).code, 0)
  }
  assert.ok(watch.loopMs > 0)
})
