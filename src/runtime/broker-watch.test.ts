// How long a log has been away, by a clock of the test's own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerWatch } from './broker-watch.ts'

function watched(): { readonly watch: BrokerWatch; readonly pass: (ms: number) => void } {
  let now = 1_000
  const clock = {
    now: () => now,
    monotonic: () => now,
    schedule: () => () => undefined,
    turn: () => Promise.resolve()
  }
  return { watch: new BrokerWatch(clock), pass: (ms) => void (now += ms) }
}

test('a log that answers is nothing to report', () => {
  const { pass, watch } = watched()
  pass(600_000)
  assert.equal(watch.reason, undefined)
  assert.equal(watch.beyond(1), undefined)
})

test('a log is away from its first failure on, and back with its first answer', () => {
  const { pass, watch } = watched()
  watch.failed(new Error('the first'))
  pass(2_000)
  watch.failed(new Error('the second'))
  pass(1_000)
  assert.match(watch.reason ?? '', /has not answered for 3s/)
  assert.equal(watch.beyond(3_001), undefined)
  const gone = watch.beyond(3_000)
  assert.equal(gone?.code, 'TAILRACE_TRANSPORT_UNAVAILABLE')
  assert.match(gone?.message ?? '', /brokerTimeout \(3s\): the first/)
  watch.answered()
  assert.equal(watch.reason, undefined)
  assert.equal(watch.beyond(3_000), undefined)
})

test('one that stays away is told of ever more seldom, and that it is back', () => {
  const { pass, watch } = watched()
  const toldAt: number[] = []
  for (let second = 0; second <= 60; second++) {
    if (watch.failed(new Error('gone'))) toldAt.push(second)
    pass(1_000)
  }
  assert.deepEqual(toldAt, [0, 5, 10, 20, 40])
  assert.equal(watch.answered(), 61_000)
  assert.equal(watch.answered(), undefined)
  assert.equal(watch.failed(new Error('gone again')), true)
})
