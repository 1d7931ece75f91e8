// Transactions on a real broker, as Kafka 3.9 does them and as 4.x does (KIP-890).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import type {
  OutgoingRecord,
  TaskCommit,
  TopicPartition,
  TransactionalProducer
} from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { openTransactional } from '../../src/transport/kafka/transaction.ts'
import { type TestBroker, testBroker } from './broker.ts'
import { consumeByJava } from './java-clients.ts'
import { Session } from './session.ts'

const timeout = 180_000
let broker: TestBroker
let session: Session
const opened: TransactionalProducer[] = []

before(
  async () => {
    broker = await testBroker()
    session = await Session.open(broker)
  },
  { timeout }
)

after(async () => {
  for (const producer of opened) await producer.close()
  await session?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

const idOf = (): string => `t-${randomBytes(6).toString('hex')}`

async function open(transactionalId: string, versionMax: number): Promise<TransactionalProducer> {
  const { cluster } = session
  const producer = await openTransactional({
    cluster,
    clock: realClock,
    transactionalId,
    transactionTimeoutMs: 60_000,
    versionMax
  })
  opened.push(producer)
  return producer
}

function recordOf(topic: string, value: string, partition = 0): OutgoingRecord {
  const bytes = Buffer.from(value)
  return { topic, partition, key: bytes, value: bytes, timestamp: 1_700_000_000_000 }
}

/** A commit of a group without members, which Kafka takes from anybody. */
function commitOf(group: string, at: TopicPartition, offset: number): TaskCommit {
  const offsets = [{ ...at, offset, metadata: `at ${offset}` }]
  return { group, task: 'task', memberId: 'member', epoch: 0, offsets }
}

/** What is sent has come to stand in the log, whether or not it will be committed. */
async function arrived(topic: string, end: number, partition = 0): Promise<void> {
  for (;;) {
    const [range] = await session.admin.ranges([{ topic, partition }])
    if ((range?.end ?? 0) >= end) return
    await realClock.turn()
  }
}

/** What readers see; a commit is answered before its markers stand in every partition. */
async function valuesOf(
  topic: string,
  { count, partitions = 1 }: { count: number; partitions?: number }
): Promise<readonly (string | null)[]> {
  for (;;) {
    const found = await session.readAll(topic, { partitions })
    if (found.length >= count) return found.map(({ value }) => value)
    await realClock.turn()
  }
}

for (const versionMax of [1, 2]) {
  describe(`transaction.version ${versionMax}`, () => {
    test('what is committed is seen, with its offsets, and by Java', { timeout }, async () => {
      const [topic, source, group] = [
        await session.topic('out', 2),
        await session.topic('in'),
        idOf()
      ]
      const at = { topic: source, partition: 0 }
      const producer = await open(idOf(), versionMax)
      for (let round = 0; round < 3; round++) {
        await producer.begin()
        producer.append('task', recordOf(topic, `a${round}`))
        producer.append('task', recordOf(topic, `b${round}`, 1))
        producer.commitOffsets(commitOf(group, at, round + 1))
        const { ends, fenced } = await producer.end()
        assert.deepEqual(fenced, [])
        // Behind each transaction stands its marker.
        const end = round * 2 + 1
        assert.deepEqual(
          ends.toSorted((a, b) => a.partition - b.partition),
          [0, 1].map((partition) => ({ topic, partition, end, leaderEpoch: 0 }))
        )
        const [committed] = await session.admin.committed(group, [at])
        assert.deepEqual(committed, { ...at, offset: round + 1, metadata: `at ${round + 1}` })
      }
      assert.deepEqual(await valuesOf(topic, { partitions: 2, count: 6 }), [
        'a0',
        'a1',
        'a2',
        'b0',
        'b1',
        'b2'
      ])
      const found = await consumeByJava({ servers: broker.servers, topic, count: 6 })
      assert.deepEqual(
        new Set(found.map(({ value }) => value)),
        new Set(['a0', 'a1', 'a2', 'b0', 'b1', 'b2'])
      )
    })

    test('nothing is seen before the end, and nothing at all of an abort', {
      timeout
    }, async () => {
      const [topic, source, group] = [await session.topic('out'), await session.topic('in'), idOf()]
      const at = { topic: source, partition: 0 }
      const producer = await open(idOf(), versionMax)
      await producer.begin()
      producer.append('task', recordOf(topic, 'aborted'))
      producer.commitOffsets(commitOf(group, at, 9))
      await arrived(topic, 1)
      assert.deepEqual(await valuesOf(topic, { count: 0 }), [])
      await producer.abort()
      assert.equal(producer.pendingBytes, 0)
      await producer.begin()
      producer.append('task', recordOf(topic, 'committed'))
      await producer.end()
      assert.deepEqual(await valuesOf(topic, { count: 1 }), ['committed'])
      assert.deepEqual(await session.admin.committed(group, [at]), [])
    })

    test('a zombie is refused, and the new producer of its id works', { timeout }, async () => {
      const [topic, source, group] = [await session.topic('out'), await session.topic('in'), idOf()]
      const at = { topic: source, partition: 0 }
      const id = idOf()
      const zombie = await open(id, versionMax)
      await zombie.begin()
      zombie.append('task', recordOf(topic, 'of the zombie'))
      zombie.commitOffsets(commitOf(group, at, 9))
      await arrived(topic, 1)
      const next = await open(id, versionMax)
      await assert.rejects(zombie.end(), (error) => {
        return hasCode(error, 'TAILRACE_TRANSPORT_FENCED') && error.isDefinite
      })
      await assert.rejects(zombie.begin(), { code: 'TAILRACE_TRANSPORT_FENCED' })
      await next.begin()
      next.append('task', recordOf(topic, 'of the next'))
      next.commitOffsets(commitOf(group, at, 3))
      await next.end()
      assert.deepEqual(await valuesOf(topic, { count: 1 }), ['of the next'])
      assert.equal((await session.admin.committed(group, [at]))[0]?.offset, 3)
    })

    test('a member that the group does not know cannot commit', { timeout }, async () => {
      const [topic, source, group] = [await session.topic('out'), await session.topic('in'), idOf()]
      const producer = await open(idOf(), versionMax)
      await producer.begin()
      producer.append('task', recordOf(topic, 'of a stranger'))
      const member = { memberId: 'stranger', generation: 3, instanceId: undefined }
      const commit = commitOf(group, { topic: source, partition: 0 }, 1)
      producer.commitOffsets({ ...commit, member })
      await assert.rejects(producer.end(), (error) => {
        return hasCode(error, 'TAILRACE_TRANSPORT_FENCED') && error.isDefinite
      })
      await producer.begin()
      producer.append('task', recordOf(topic, 'without offsets'))
      await producer.end()
      assert.deepEqual(await valuesOf(topic, { count: 1 }), ['without offsets'])
    })

    test('what fails leaves nothing behind, and the next one goes on', { timeout }, async () => {
      const topic = await session.topic('out')
      const producer = await open(idOf(), versionMax)
      const tooLarge = { ...recordOf(topic, 'x'), value: Buffer.alloc(1_200_000) }
      for (const [bad, code] of [
        [recordOf(idOf(), 'nowhere'), 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'],
        [tooLarge, 'TAILRACE_SCHEMA_TOO_LARGE']
      ] as const) {
        await producer.begin()
        producer.append('task', recordOf(topic, 'half'))
        producer.append('task', bad)
        await assert.rejects(producer.end(), (error) => hasCode(error, code) && error.isDefinite)
        await producer.abort()
        await producer.begin()
        producer.append('task', recordOf(topic, code))
        await producer.end()
      }
      const codes = ['TAILRACE_TRANSPORT_UNKNOWN_TOPIC', 'TAILRACE_SCHEMA_TOO_LARGE']
      assert.deepEqual(await valuesOf(topic, { count: 2 }), codes)
    })

    test('what is open when a producer closes is aborted at once', { timeout }, async () => {
      const topic = await session.topic('out')
      const producer = await open(idOf(), versionMax)
      await producer.begin()
      producer.append('task', recordOf(topic, 'left open'))
      await arrived(topic, 1)
      await producer.close()
      await assert.rejects(producer.begin(), { code: 'TAILRACE_TRANSPORT_CLOSED' })
      const other = await open(idOf(), versionMax)
      await other.begin()
      other.append('task', recordOf(topic, 'behind it'))
      await other.end()
      // A transaction left open would hold this back until its timeout.
      assert.deepEqual(await valuesOf(topic, { count: 1 }), ['behind it'])
    })

    test('a large transaction is seen whole and in order', { timeout }, async () => {
      const topic = await session.topic('out')
      const producer = await open(idOf(), versionMax)
      const filler = 'x'.repeat(500)
      await producer.begin()
      for (let i = 0; i < 10_000; i++) producer.append('task', recordOf(topic, `${i} ${filler}`))
      await producer.end()
      const found = await valuesOf(topic, { count: 10_000 })
      assert.deepEqual(
        found.map((value) => value?.split(' ')[0]),
        Array.from({ length: 10_000 }, (_, i) => `${i}`)
      )
    })
  })
}
