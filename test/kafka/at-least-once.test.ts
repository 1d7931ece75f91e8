// At-least-once on a real broker: delivered at once, offsets behind it, and fenced by time.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import type { OutgoingRecord, TaskCommit } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import {
  type AtLeastOnceProducer,
  openAtLeastOnce
} from '../../src/transport/kafka/at-least-once.ts'
import { type TestBroker, testBroker } from './broker.ts'
import { Session } from './session.ts'

const timeout = 180_000
let broker: TestBroker
let session: Session
let producer: AtLeastOnceProducer

before(
  async () => {
    broker = await testBroker()
    session = await Session.open(broker)
    producer = await openAtLeastOnce({ cluster: session.cluster, clock: realClock })
  },
  { timeout }
)

after(async () => {
  await producer?.close()
  await session?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

function recordOf(topic: string, value: string): OutgoingRecord {
  return { topic, partition: 0, key: null, value: Buffer.from(value), timestamp: 1_700_000_000_000 }
}

function commitOf(group: string, topic: string, offset: number): TaskCommit {
  const offsets = [{ topic, partition: 0, offset, metadata: `at ${offset}`, leaderEpoch: 3 }]
  return { group, task: 'task', memberId: 'member', epoch: 0, offsets }
}

const groupOf = (): string => `g-${randomBytes(6).toString('hex')}`

async function valuesOf(topic: string): Promise<readonly (string | null)[]> {
  return (await session.readAll(topic, { partitions: 1 })).map(({ value }) => value)
}

test('what is appended is seen before the end, offsets only after it', { timeout }, async () => {
  const [topic, source, group] = [await session.topic('out'), await session.topic('in'), groupOf()]
  const at = { topic: source, partition: 0 }
  await producer.begin()
  producer.append('task', recordOf(topic, 'a'))
  producer.commitOffsets(commitOf(group, source, 5))
  while ((await valuesOf(topic)).length === 0) await realClock.turn()
  assert.deepEqual(await session.admin.committed(group, [at]), [])
  const { ends, fenced } = await producer.end()
  assert.deepEqual(ends, [{ topic, partition: 0, end: 1, leaderEpoch: 0 }])
  assert.deepEqual(fenced, [])
  const committed = await session.admin.committed(group, [at])
  assert.deepEqual(committed, [{ ...at, offset: 5, metadata: 'at 5', leaderEpoch: 3 }])
})

test('a member that the group does not know is fenced', { timeout }, async () => {
  const source = await session.topic('in')
  const group = groupOf()
  await producer.begin()
  const member = { memberId: 'stranger', generation: 2, instanceId: undefined }
  producer.commitOffsets({ ...commitOf(group, source, 5), member })
  await assert.rejects(producer.end(), { code: 'TAILRACE_TRANSPORT_FENCED' })
  assert.deepEqual(await session.admin.committed(group, [{ topic: source, partition: 0 }]), [])
})

test('a failed delivery fails the commit: its offsets stay where they were', {
  timeout
}, async () => {
  const [topic, source, group] = [await session.topic('out'), await session.topic('in'), groupOf()]
  await producer.begin()
  producer.append('task', { ...recordOf(topic, ''), value: Buffer.alloc(1_200_000) })
  producer.append('task', recordOf(topic, 'beside it'))
  producer.commitOffsets(commitOf(group, source, 5))
  await assert.rejects(producer.end(), (error) => {
    return hasCode(error, 'TAILRACE_SCHEMA_TOO_LARGE') && !error.isDefinite
  })
  assert.deepEqual(await session.admin.committed(group, [{ topic: source, partition: 0 }]), [])
  await producer.begin()
  producer.append('task', recordOf(topic, 'again'))
  await producer.end()
  assert.deepEqual(await valuesOf(topic), ['beside it', 'again'])
})

test('nothing is sent after the deadline, until it is moved on', { timeout }, async () => {
  const topic = await session.topic('out')
  producer.notAfter(() => realClock.monotonic() - 1)
  await producer.begin()
  producer.append('task', recordOf(topic, 'too late'))
  await assert.rejects(producer.end(), { code: 'TAILRACE_TRANSPORT_FENCED' })
  assert.deepEqual(await valuesOf(topic), [])
  producer.notAfter(() => realClock.monotonic() + 60_000)
  await producer.begin()
  producer.append('task', recordOf(topic, 'in time'))
  await producer.end()
  assert.deepEqual(await valuesOf(topic), ['in time'])
})

test('what was not sent when it is aborted is not sent', { timeout }, async () => {
  const topic = await session.topic('out')
  await producer.begin()
  producer.append('task', recordOf(topic, 'given up'))
  await producer.abort()
  await producer.begin()
  producer.append('task', recordOf(topic, 'kept'))
  await producer.end()
  assert.deepEqual(await valuesOf(topic), ['kept'])
})
