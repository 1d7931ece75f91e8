// What members tell each other comes back as it was said, in few bytes and in Kafka's own layout.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskSpec } from '../../core/task-spec.ts'
import { userDataOfGiven, userDataOfSubscription } from './group-layout.ts'
import { packOwned, packTasks, unpackOwned, unpackTasks } from './group-tasks.ts'
import {
  decodeMember,
  decodeWords,
  encodeMember,
  encodeWords,
  type GivenWords,
  type MemberWords
} from './group-words.ts'

function taskAt(partition: number): TaskSpec {
  const at = (topic: string): { topic: string; partition: number } => ({ topic, partition })
  const changelogs = [at('app-t-changelog')]
  return {
    id: `a+b/${partition}`,
    subTopology: 'a+b',
    partition,
    sources: [at('a'), at('b')],
    changelogs
  }
}

const leaderTask: TaskSpec = { id: '~leader/0', subTopology: '~leader', partition: 0, sources: [] }
const tasks = [...Array.from({ length: 5 }, (_, partition) => taskAt(partition)), leaderTask]

const member: MemberWords = {
  id: 'worker-1',
  hash: 'h',
  tasks,
  owned: new Map([
    ['a+b/0', 1],
    ['a+b/1', 1],
    ['a+b/4', 7],
    ['~leader/0', 3]
  ]),
  url: 'http://127.0.0.1:1',
  transactionalId: 'app-1',
  generation: 7,
  peers: ['app-1', 'app-2']
}

const given: GivenWords = {
  generation: 8,
  owned: new Map([['a+b/2', 8]]),
  wanted: ['a+b/2', 'a+b/3'],
  fence: ['app-3'],
  isBlind: false,
  isMoving: true,
  peers: ['app-1'],
  members: [{ id: 'worker-1', instanceId: 'i', url: undefined, tasks: ['a+b/2'] }],
  unowned: ['a+b/3']
}

test('what a member says comes back', () => {
  assert.deepEqual(decodeMember(encodeMember(member)), member)
  const little = { ...member, url: undefined, transactionalId: undefined, owned: new Map() }
  assert.deepEqual(decodeMember(encodeMember(little)), little)
})

test('what a leader says comes back', () => {
  assert.deepEqual(decodeWords(encodeWords(given, tasks)), given)
})

test('the layout around it is the one of consumers, with topics and partitions', () => {
  const subscription = encodeMember({ ...member, owned: new Map([['a+b/4', 1]]) })
  const topics = '0001' + '00000002' + '0001' + '61' + '0001' + '62'
  assert.ok(subscription.toString('hex').startsWith(topics))
  const owned = '00000002' + '0001' + '61' + '00000001' + '00000004'
  assert.ok(subscription.toString('hex').endsWith(`${owned}000162${'00000001'}00000004`))
  const assignment = encodeWords(given, tasks)
  const ofA = '0001' + '00000002' + '0001' + '61' + '00000001' + '00000002'
  assert.ok(assignment.toString('hex').startsWith(ofA))
})

test('what another kind of client wrote is told apart', () => {
  const foreign = Buffer.from('0001' + '00000000' + '00000000' + '00000000', 'hex')
  assert.equal(decodeMember(foreign), undefined)
  assert.equal(decodeWords(foreign), undefined)
  for (const bytes of ['', '00', '0001', '000100000001', '0001ffffffff']) {
    assert.equal(decodeMember(Buffer.from(bytes, 'hex')), undefined, bytes)
    assert.equal(decodeWords(Buffer.from(bytes, 'hex')), undefined, bytes)
  }
  assert.deepEqual(userDataOfSubscription(foreign), Buffer.alloc(0))
  assert.deepEqual(userDataOfGiven(foreign), Buffer.alloc(0))
})

test('lists of tasks keep every id, whatever its name', () => {
  const ids = ['a/0', 'a/1', 'a/2', 'a/9', '__proto__/3', 'x/y/0']
  assert.deepEqual(unpackTasks(packTasks(ids)).sort(), [...ids].sort())
  const owned = new Map(ids.map((id, index) => [id, 1 + (index % 2)]))
  const byId = (a: readonly [string, number], b: readonly [string, number]): number =>
    a[0] < b[0] ? -1 : 1
  assert.deepEqual([...unpackOwned(packOwned(owned))].sort(byId), [...owned].sort(byId))
})

test('4,096 tasks of one member are few bytes', () => {
  const many = Array.from({ length: 4_096 }, (_, partition) => taskAt(partition))
  const owned = new Map(many.map(({ id }) => [id, 1]))
  const bytes = encodeMember({ ...member, tasks: many, owned: new Map() }).length
  assert.ok(bytes < 500, `${bytes} bytes`)
  // Kafka's own list of partitions is 4 bytes each; ours adds next to nothing to it.
  const words = { ...given, owned, wanted: [...owned.keys()] }
  const told = encodeWords(words, many).length
  assert.ok(told < 2 * 4 * 4_096 + 500, `${told} bytes`)
})
