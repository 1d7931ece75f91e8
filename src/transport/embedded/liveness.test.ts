// Who counts as dead, and when a judge may not say so.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDead, Steadiness } from './liveness.ts'

const identity = { boot: 'b1', pidNamespace: 'pid:[1]', pid: 10 }
const beat = { beatMs: 1_000, sessionMs: 3_000, identity }
const judge = { identity, nowMs: 2_000, isSteady: true, isProcessAlive: () => true }

test('a member lives while it beats in time', () => {
  assert.equal(isDead(beat, judge), false)
  assert.equal(isDead(beat, { ...judge, nowMs: 4_000 }), false)
  assert.equal(isDead(beat, { ...judge, nowMs: 4_001 }), true)
})

test('a judge that was held up itself calls nobody late', () => {
  assert.equal(isDead(beat, { ...judge, nowMs: 60_000, isSteady: false }), false)
})

test('a process that is gone is dead at once, where process ids mean the same', () => {
  const gone = { ...judge, isProcessAlive: () => false }
  assert.equal(isDead(beat, gone), true)
  const elsewhere = { ...beat, identity: { ...identity, pidNamespace: 'pid:[2]' } }
  assert.equal(isDead(elsewhere, gone), false)
})

test('members of another boot are dead, by its id or by a beat in the future', () => {
  assert.equal(isDead({ ...beat, identity: { ...identity, boot: 'b0' } }, judge), true)
  assert.equal(isDead({ ...beat, beatMs: 9_000 }, judge), true)
  assert.equal(isDead({ ...beat, beatMs: 2_500 }, judge), false)
})

test('one is steady after beating in time for a while, and not after a pause', () => {
  const times = { heartbeatMs: 200, sessionMs: 3_000 }
  const steadiness = new Steadiness()
  assert.equal(steadiness.isSteady(0), false)
  const beatTo = (from: number, to: number): void => {
    for (let now = from; now <= to; now += 200) steadiness.beat(now, times)
  }
  beatTo(0, 400)
  assert.equal(steadiness.isSteady(400), false)
  beatTo(600, 1_000)
  assert.equal(steadiness.isSteady(1_000), true)
  steadiness.beat(9_000, times)
  assert.equal(steadiness.isSteady(9_000), false)
  beatTo(9_200, 9_600)
  assert.equal(steadiness.isSteady(9_600), true)
})
