// How a generation is shared out: minimum moves, one owner at a time, and who is to be fenced.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskSpec } from '../../core/task-spec.ts'
import { type JoinedMember, planGeneration } from './group-leader.ts'
import type { GivenWords, MemberWords } from './group-words.ts'

function tasksOf(topic: string, count: number): TaskSpec[] {
  return Array.from({ length: count }, (_, partition) => {
    return {
      id: `${topic}/${partition}`,
      subTopology: topic,
      partition,
      sources: [{ topic, partition }]
    }
  })
}

function memberOf(id: string, words: Partial<MemberWords> = {}): JoinedMember {
  return {
    memberId: id,
    instanceId: undefined,
    words: {
      id,
      hash: 'h',
      tasks: tasksOf('s', 4),
      owned: new Map(),
      url: undefined,
      transactionalId: `tx-${id}`,
      generation: 0,
      peers: [],
      ...words
    }
  }
}

function plan(generation: number, ...members: readonly JoinedMember[]): Record<string, GivenWords> {
  return Object.fromEntries(planGeneration(generation, members))
}

/** The member as it joins the next generation. */
function next(member: JoinedMember, given: GivenWords | undefined): JoinedMember {
  assert.ok(given !== undefined)
  const { generation, owned, peers } = given
  return { ...member, words: { ...member.words, generation, owned, peers } }
}

test('a member alone gets everything, at this generation', () => {
  const { a } = plan(5, memberOf('a'))
  assert.deepEqual(
    [...(a?.owned ?? [])],
    [
      ['s/0', 5],
      ['s/1', 5],
      ['s/2', 5],
      ['s/3', 5]
    ]
  )
  assert.deepEqual([a?.isMoving, a?.unowned], [false, []])
})

test('a second member waits until the first has let go, then gets the minimum', () => {
  const first = plan(1, memberOf('a'))
  const second = plan(2, next(memberOf('a'), first['a']), memberOf('b'))
  assert.equal(second['a']?.owned.size, 4)
  assert.equal(second['a']?.wanted.length, 2)
  assert.equal(second['b']?.owned.size, 0)
  assert.deepEqual([second['a']?.isMoving, second['b']?.isMoving], [true, true])
  const kept = new Map(
    [...(second['a']?.owned ?? [])].filter(([id]) => second['a']?.wanted.includes(id))
  )
  const a = next(memberOf('a'), second['a'])
  const third = plan(
    3,
    { ...a, words: { ...a.words, owned: kept } },
    next(memberOf('b'), second['b'])
  )
  assert.deepEqual(third['a']?.owned, kept, 'what stays keeps its epoch')
  assert.deepEqual(new Set(third['b']?.owned.values()), new Set([3]))
  assert.equal(third['b']?.owned.size, 2)
  assert.equal(third['a']?.isMoving, false)
})

test('of two that claim a task, the one that was given it later has it', () => {
  const frozen = memberOf('a', { owned: new Map([['s/0', 1]]) })
  const owner = memberOf('b', { owned: new Map([['s/0', 4]]) })
  const { a, b } = plan(6, frozen, owner)
  assert.equal(b?.owned.get('s/0'), 4)
  assert.equal(a?.owned.has('s/0'), false)
})

test('whoever takes tasks fences the members that are gone, and nobody else does', () => {
  const before = plan(1, memberOf('a'), memberOf('b'), memberOf('c'))
  const [a, b] = [next(memberOf('a'), before['a']), next(memberOf('b'), before['b'])]
  const after = plan(2, a, b)
  const takers = Object.values(after).filter(({ owned }) => [...owned.values()].includes(2))
  assert.ok(takers.length > 0)
  for (const { fence } of takers) assert.deepEqual(fence, ['tx-c'])
  const again = plan(3, next(a, after['a']), next(b, after['b']))
  for (const { fence, peers } of Object.values(again)) {
    assert.deepEqual(fence, [])
    assert.deepEqual([...peers].sort(), ['tx-a', 'tx-b'])
  }
})

test('where all are new, nobody knows who is gone', () => {
  const first = plan(1, memberOf('a'), memberOf('b'))
  assert.deepEqual([first['a']?.isBlind, first['b']?.isBlind], [true, true])
  const second = plan(2, next(memberOf('a'), first['a']), memberOf('c'))
  assert.deepEqual([second['a']?.isBlind, second['c']?.isBlind], [false, false])
})

test('a member that is back under its transactional id is not fenced', () => {
  const before = plan(1, memberOf('a'), memberOf('b'))
  const back = memberOf('b2', { transactionalId: 'tx-b' })
  const after = plan(2, next(memberOf('a'), before['a']), back)
  for (const { fence } of Object.values(after)) assert.deepEqual(fence, [])
})

test('a leader that is new in the group still learns who is gone', () => {
  const before = plan(1, memberOf('a'), memberOf('b'))
  const after = plan(2, memberOf('0-new'), next(memberOf('b'), before['b']))
  const fenced = Object.values(after).flatMap(({ fence }) => fence)
  assert.ok(fenced.length > 0 && fenced.every((id) => id === 'tx-a'))
})

test('members of two topologies are given only what they know, old groupings first', () => {
  const apart = [...tasksOf('x', 1), ...tasksOf('y', 1)]
  const sources = [
    { topic: 'x', partition: 0 },
    { topic: 'y', partition: 0 }
  ]
  const merged = [{ id: 'x+y/0', subTopology: 'x+y', partition: 0, sources }]
  const old = memberOf('a', { hash: 'old', tasks: apart })
  const first = plan(1, old)
  const second = plan(2, next(old, first['a']), memberOf('b', { hash: 'new', tasks: merged }))
  assert.deepEqual([second['a']?.owned.size, second['b']?.owned.size], [2, 0])
  const { b } = plan(3, next(memberOf('b', { hash: 'new', tasks: merged }), second['b']))
  assert.deepEqual([...(b?.owned ?? [])], [['x+y/0', 3]])
})

test('a static member is itself under whatever id the broker gives it', () => {
  const members = [
    { ...memberOf('m1'), instanceId: 'i1' },
    { ...memberOf('m2'), instanceId: 'i2' }
  ]
  const before = plan(1, ...members)
  const swapped = [
    { ...memberOf('z1'), instanceId: 'i1' },
    { ...memberOf('a2'), instanceId: 'i2' }
  ]
  const after = plan(1, ...swapped)
  assert.deepEqual(after['z1']?.wanted, before['m1']?.wanted)
  assert.deepEqual(after['a2']?.wanted, before['m2']?.wanted)
})

/** A group of one task for each member, as it stands after its first generation. */
function largeGroup(count: number): { joined: JoinedMember[]; given: Record<string, GivenWords> } {
  const tasks = tasksOf('s', count)
  const joined = Array.from({ length: count }, (_, index) =>
    memberOf(`m-${String(index).padStart(4, '0')}`, { tasks })
  )
  const given = plan(1, ...joined)
  return { given, joined: joined.map((one) => next(one, given[one.memberId])) }
}

const idsIn = (given: Record<string, GivenWords>): number =>
  Object.values(given).reduce((sum, { fence, peers }) => sum + fence.length + peers.length, 0)

for (const count of [48, 49, 400, 1_000]) {
  test(`of ${count} members, each that goes is fenced, and little is told for it`, () => {
    const { given, joined } = largeGroup(count)
    const carriers = joined.filter(({ words }) => words.peers.length > 0)
    assert.ok(carriers.length >= 2)
    if (count === 48) assert.equal(carriers.length, count)
    assert.ok(idsIn(given) <= 48 * 48, `${idsIn(given)} ids`)
    // All but one of those who know, and half of the others.
    const lost = new Set([...carriers.slice(1), ...joined.filter((_, index) => index % 2 === 0)])
    lost.delete(carriers[0] as JoinedMember)
    const after = plan(2, ...joined.filter((one) => !lost.has(one)))
    const fenced = new Set(Object.values(after).flatMap(({ fence }) => fence))
    assert.deepEqual(fenced, new Set([...lost].map(({ memberId }) => `tx-${memberId}`)))
    assert.ok(idsIn(after) <= 2 * 48 * 48, `${idsIn(after)} ids`)
  })
}

test('where all that knew are gone, whoever takes tasks looks for what is open', () => {
  const { joined } = largeGroup(100)
  const left = joined.filter(({ words }) => words.peers.length === 0)
  assert.ok(left.length > 0 && left.length < 100)
  const after = Object.values(plan(2, ...left))
  assert.ok(after.every(({ isBlind }) => isBlind))
  const knowing = after.filter(({ peers }) => peers.length > 0)
  assert.ok(knowing.some(({ owned }) => [...owned.values()].includes(2)))
  for (const { peers } of knowing) assert.equal(peers.length, left.length)
})

test('all members of a large group are new: one that takes tasks knows them all', () => {
  const { given } = largeGroup(200)
  const takers = Object.values(given).filter(({ owned, peers }) => owned.size * peers.length > 0)
  assert.ok(takers.length > 0)
  for (const { isBlind, peers } of takers) assert.deepEqual([isBlind, peers.length], [true, 200])
})
