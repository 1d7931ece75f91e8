// How one partition takes what a broker answers: records, errors, moves and cuts of its log.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../core/errors.ts'
import { BatchEncoder, setBaseOffset } from '../../core/record-batch.ts'
import type { PartitionAnswer } from './fetch-answer.ts'
import { Reading } from './fetch-reading.ts'
import { KafkaFailure } from './protocol-failure.ts'

const context = { isReadCommitted: true, now: 1_000 }
const leader = { broker: 1, leaderEpoch: 5, topicId: '01234567-89ab-cdef-0123-456789abcdef' }

function reading(offset: number = 0): Reading {
  return new Reading({ topic: 't', partition: 3, offset })
}

function answer(parts: Partial<PartitionAnswer> = {}): PartitionAnswer {
  return {
    partition: 3,
    errorCode: 0,
    highWatermark: 20,
    lastStableOffset: 10,
    aborted: [],
    preferredReplica: -1,
    records: Buffer.alloc(0),
    divergesAt: undefined,
    leader: undefined,
    ...parts
  }
}

function records(offset: number, count: number): Buffer {
  const encoder = new BatchEncoder()
  for (let i = 0; i < count; i++) encoder.append(null, Buffer.from(`${offset + i}`), 1)
  const bytes = encoder.finish()
  setBaseOffset(bytes, offset, 4)
  return bytes
}

test('the readable end is the last stable offset, or the high watermark', () => {
  for (const [isReadCommitted, end] of [
    [true, 10],
    [false, 20]
  ] as const) {
    const one = reading()
    assert.equal(
      one.take(answer({ records: records(0, 2) }), { ...context, isReadCommitted }),
      'ready'
    )
    const chunk = one.handOut(1_000)
    assert.deepEqual([chunk?.nextOffset, chunk?.end, one.isReady], [2, end, false])
  }
})

test('the first answer at the end is told, the next ones are not', () => {
  const one = reading(10)
  assert.equal(one.take(answer(), context), 'ready')
  const chunk = one.handOut(1_000)
  assert.deepEqual([chunk?.bytes.length, chunk?.nextOffset, chunk?.end], [0, 10, 10])
  assert.equal(one.take(answer(), context), 'nothing')
  assert.equal(one.isReady, false)
})

test('a first answer that had no room for a record says nothing', () => {
  const one = reading(5)
  assert.equal(one.take(answer(), context), 'nothing')
  assert.equal(one.take(answer({ records: records(5, 1).subarray(0, 40) }), context), 'ready')
  assert.equal(one.handOut(1_000), undefined)
  assert.deepEqual([one.position, one.isReady], [5, false])
})

test('a new leader is asked whether the log was cut, until it answers', () => {
  const one = reading()
  one.follow(leader)
  assert.equal(one.lastFetchedEpoch, -1)
  one.take(answer({ records: records(0, 2) }), context)
  one.handOut(1_000)
  one.follow(leader)
  assert.equal(one.lastFetchedEpoch, -1, 'the leader is the same')
  one.follow({ ...leader, leaderEpoch: 6 })
  assert.equal(one.lastFetchedEpoch, 4)
  one.take(answer(), context)
  assert.equal(one.lastFetchedEpoch, -1)
})

test('a log cut below the position is out of range, one that goes on is not', () => {
  const cases = [
    [1, 'range'],
    [2, 'again']
  ] as const
  for (const [divergesAt, verdict] of cases) {
    const one = reading()
    one.follow(leader)
    one.take(answer({ records: records(0, 2) }), context)
    one.handOut(1_000)
    one.follow({ ...leader, leaderEpoch: 6 })
    assert.equal(one.take(answer({ divergesAt }), context), verdict)
    assert.equal(one.lastFetchedEpoch, -1, 'it would ask for ever')
  }
})

test('a position that was committed under another leader is checked at once', () => {
  const from = { topic: 't', partition: 3, offset: 2, leaderEpoch: 4 }
  const one = new Reading(from)
  one.follow(leader)
  assert.equal(one.lastFetchedEpoch, 4)
  assert.equal(one.take(answer({ divergesAt: 1 }), context), 'range')
  const kept = new Reading(from)
  kept.follow(leader)
  kept.take(answer({ records: records(2, 1) }), context)
  assert.equal(kept.lastFetchedEpoch, -1)
  const sought = reading()
  sought.follow(leader)
  sought.seek({ offset: 2, leaderEpoch: 4 })
  assert.equal(sought.lastFetchedEpoch, 4)
})

test('a chunk says the leader epoch of its last record, or what its position came with', () => {
  const one = new Reading({ topic: 't', partition: 3, offset: 5, leaderEpoch: 2 })
  one.take(answer({ records: records(5, 1).subarray(0, 40) }), context)
  assert.equal(one.handOut(1_000), undefined)
  one.take(answer({ records: records(5, 2) }), context)
  assert.equal(one.handOut(1_000)?.leaderEpoch, 4)
  const idle = new Reading({ topic: 't', partition: 3, offset: 10, leaderEpoch: 2 })
  idle.take(answer(), context)
  assert.equal(idle.handOut(1_000)?.leaderEpoch, 2)
  const fresh = reading(10)
  fresh.take(answer(), context)
  assert.equal(fresh.handOut(1_000)?.leaderEpoch, undefined)
})

test('out of range is said once, with where the log begins and ends', () => {
  const one = reading(7)
  assert.equal(one.take(answer({ errorCode: 1 }), context), 'range')
  one.sayOutOfRange({ start: 8, end: 12 })
  const chunk = one.handOut(1_000)
  assert.deepEqual(chunk?.outOfRange, { position: 7, start: 8, end: 12 })
  assert.deepEqual([chunk?.nextOffset, chunk?.end, one.isReady], [7, 12, false])
  assert.equal(one.isOutOfRange, true)
  one.seek({ offset: 8 })
  assert.equal(one.isOutOfRange, false)
})

test('a topic made anew under the name is noticed', () => {
  const one = reading()
  assert.equal(one.follow(leader), true)
  assert.equal(one.topicId?.hex, '0123456789abcdef0123456789abcdef')
  assert.equal(one.follow({ ...leader, topicId: 'another' }), false)
})

test('a nearer replica is read from, for a while, and left when it refuses', () => {
  const one = reading()
  assert.equal(one.source(leader, 0), 1)
  assert.equal(one.take(answer({ preferredReplica: 2 }), context), 'again')
  assert.equal(one.source(leader, 1_000), 2)
  // What a replica does not have yet, the leader may have.
  assert.equal(one.take(answer({ errorCode: 1 }), context), 'again')
  assert.equal(one.source(leader, 1_000), 1)
  one.take(answer({ preferredReplica: 2 }), context)
  assert.equal(one.source(leader, 1_000 + 300_000), 1)
})

test('errors of leaders that moved ask for the leader, and pass without a word', () => {
  for (const errorCode of [3, 6, 9, 56, 74, 75, 100, 103]) {
    const one = reading()
    assert.equal(one.take(answer({ errorCode }), context), 'leader', `${errorCode}`)
    assert.equal(one.trouble.due(context.now), undefined)
    assert.equal(one.trouble.isWaiting(context.now), true)
    const due = one.trouble.due(context.now + 5_000)
    assert.ok(due?.error instanceof KafkaFailure && due.error.code === errorCode)
  }
})

test('a refusal is said at once, and damage with its offset', () => {
  const denied = reading()
  assert.equal(denied.take(answer({ errorCode: 29 }), context), 'refused')
  const due = denied.trouble.due(context.now)
  assert.ok(due?.error instanceof KafkaFailure && due.error.code === 29)
  assert.match(due.error.message, /"t" partition 3/)
  const damaged = reading(7)
  assert.equal(damaged.take(answer({ errorCode: 2 }), context), 'refused')
  const error = damaged.trouble.due(context.now)?.error
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT'))
  assert.deepEqual(error.context, { topic: 't', partition: 3, offset: 7 })
})

test('trouble that lasts is said again only after a while, and forgotten when it is over', () => {
  const { trouble } = reading()
  const failure = new KafkaFailure(6, 'x')
  trouble.failed(failure, 0)
  trouble.failed(failure, 4_000)
  assert.equal(trouble.due(4_999), undefined)
  assert.equal(trouble.due(5_000)?.lastsMs, 5_000)
  assert.equal(trouble.due(9_999), undefined)
  assert.equal(trouble.due(10_000)?.lastsMs, 10_000)
  trouble.succeeded()
  assert.deepEqual([trouble.due(99_999), trouble.retryAt], [undefined, undefined])
})
