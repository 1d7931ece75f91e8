// What a fetch session sends: all at first, then only what changed, and all again after a loss.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Wanted } from './fetch-session.ts'
import { FetchSession } from './fetch-session.ts'

function want(topicId: string, partition: number, offset: number): Wanted<string> {
  const owner = `${topicId}/${partition}@${offset}`
  return { topicId, partition, offset, leaderEpoch: 1, lastFetchedEpoch: -1, bytesMax: 10, owner }
}

function named(
  parts: readonly { topicId: string; partitions: readonly (number | { partition: number })[] }[]
): string[] {
  return parts.flatMap(({ topicId, partitions }) =>
    partitions.map((one) => `${topicId}/${typeof one === 'number' ? one : one.partition}`)
  )
}

test('the first request names all, the next ones what moved, came or went', () => {
  const session = new FetchSession<string>()
  const first = session.ask([want('a', 0, 5), want('b', 0, 0), want('a', 1, 7)])
  assert.deepEqual(first.session, { id: 0, epoch: 0 })
  assert.deepEqual(named(first.topics), ['a/0', 'a/1', 'b/0'])
  session.accept(42)
  const second = session.ask([want('a', 0, 6), want('a', 1, 7), want('c', 0, 0)])
  assert.deepEqual(second.session, { id: 42, epoch: 1 })
  assert.deepEqual(named(second.topics), ['a/0', 'c/0'])
  assert.deepEqual(named(second.forgotten), ['b/0'])
  session.accept(42)
  const third = session.ask([want('a', 0, 6), want('a', 1, 7), want('c', 0, 0)])
  assert.deepEqual([third.session.epoch, named(third.topics), named(third.forgotten)], [2, [], []])
})

test('every part of a question that changes is sent again', () => {
  for (const change of [
    { offset: 6 },
    { leaderEpoch: 2 },
    { lastFetchedEpoch: 1 },
    { bytesMax: 11 }
  ]) {
    const session = new FetchSession<string>()
    session.ask([want('a', 0, 5)])
    session.accept(1)
    const { topics } = session.ask([{ ...want('a', 0, 5), ...change }])
    assert.deepEqual(named(topics), ['a/0'], JSON.stringify(change))
  }
})

test('after a loss all is named again, and the old session ends with the request', () => {
  const session = new FetchSession<string>()
  session.ask([want('a', 0, 5)])
  session.accept(42)
  session.reset({ isGone: false })
  const again = session.ask([want('a', 0, 5)])
  assert.deepEqual(again.session, { id: 42, epoch: 0 })
  assert.deepEqual(named(again.topics), ['a/0'])
  session.accept(43)
  assert.deepEqual(session.ask([]).session, { id: 43, epoch: 1 })
  session.reset({ isGone: true })
  assert.deepEqual(session.ask([]).session, { id: 0, epoch: 0 })
})

test('a broker that grants no session is asked for everything each time', () => {
  const session = new FetchSession<string>()
  for (let round = 0; round < 3; round++) {
    const { session: mark, topics } = session.ask([want('a', 0, 5)])
    assert.deepEqual([mark, named(topics)], [{ id: 0, epoch: 0 }, ['a/0']])
    session.accept(0)
  }
  assert.equal(session.ending(), undefined)
})

test('an answer finds whose partition it is, by the newest question', () => {
  const session = new FetchSession<string>()
  const old = want('a', 0, 5)
  session.ask([old])
  session.accept(1)
  session.setEnd(old, 9)
  session.ask([{ ...want('a', 0, 5), owner: 'new' }])
  assert.equal(session.find('a', 0)?.owner, 'new')
  assert.equal(session.end(old), 9)
  session.ask([])
  assert.equal(session.find('a', 0), undefined)
  assert.equal(session.end(old), undefined)
  assert.deepEqual(session.ending(), { id: 1, epoch: -1 })
})
