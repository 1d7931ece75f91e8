// What a transactional producer asks, in which order, and what it makes of answers that are late,
// refused or lost: on scripted brokers, by both of Kafka's ways.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import type { OutgoingRecord, TransactionalProducer } from '../../src/port/transport.ts'
import { WireReader, WireWriter } from '../../src/transport/kafka/produce-wire.ts'
import { KafkaFailure, local } from '../../src/transport/kafka/protocol-failure.ts'
import { openTransactional } from '../../src/transport/kafka/transaction.ts'
import { VirtualClock } from '../../src/transport/memory/virtual-clock.ts'
import { type Asked, type Fate, ScriptedBrokers } from './scripted-brokers.ts'

const names: Readonly<Record<number, string>> = {
  0: 'Produce',
  22: 'InitProducerId',
  24: 'AddPartitions',
  25: 'AddOffsets',
  26: 'EndTxn',
  28: 'TxnOffsetCommit'
}
const concurrentTransactions = 51
const notCoordinator = 16

interface Scene {
  readonly clock: VirtualClock
  readonly brokers: ScriptedBrokers
  readonly producer: TransactionalProducer
  /** Names of the requests since the opening, EndTxn with what it asks for. */
  readonly asked: () => readonly string[]
}

/** A coordinator that knows one producer, and counts its epochs as Kafka does. */
function coordinator(): (asked: Asked, code: number) => Buffer {
  let epoch = 0
  return ({ body, key, version }, code) => {
    const writer = new WireWriter().int32(0)
    if (key === 24 || key === 28) {
      writer.list([0], () => {
        writer.text('t').list([0], () => writer.int32(0).int16(code).end())
        writer.end()
      })
      return writer.end().take()
    }
    const isRenewing = key === 22 || (key === 26 && version >= 5)
    if (key === 22 && code === 0 && isRenewal(body)) epoch++
    if (key === 26 && code === 0 && isRenewing) epoch++
    writer.int16(code)
    if (isRenewing) writer.bigint64(7n).int16(epoch)
    return writer.end().take()
  }
}

/** InitProducerId with an identity of before. */
function isRenewal(body: Buffer): boolean {
  const reader = new WireReader(body)
  reader.text()
  reader.int32()
  return reader.bigint64() >= 0n
}

async function scene(versionMax: number): Promise<Scene> {
  const clock = new VirtualClock()
  const brokers = new ScriptedBrokers(clock)
  for (const partition of [0, 1]) brokers.partition('t', partition)
  brokers.answerOther = coordinator()
  const parts = { cluster: brokers, clock, transactionTimeoutMs: 60_000, patienceMs: 2_000 }
  const opening = openTransactional({ ...parts, transactionalId: 'p', versionMax })
  const producer = await clock.settle(opening)
  const asked = (): readonly string[] => brokers.asked.slice(1).map(nameOf)
  return { clock, brokers, producer, asked }
}

function nameOf({ body, key }: Asked): string {
  const name = names[key] ?? `${key}`
  // The last byte but one says whether it commits.
  return key === 26 ? `${name} ${body.at(-2) === 1 ? 'commit' : 'abort'}` : name
}

function recordOf(value: string, partition = 0): OutgoingRecord {
  return { topic: 't', partition, key: null, value: Buffer.from(value), timestamp: 1_700_000_000 }
}

function commitOf(
  task: string,
  partition: number
): Parameters<TransactionalProducer['commitOffsets']>[0] {
  const offsets = [{ topic: 'in', partition, offset: 5, metadata: '' }]
  const member = { memberId: 'm', generation: 4, instanceId: 'i' }
  return { group: 'g', task, memberId: 'm', epoch: 1, offsets, member }
}

/** Two partitions and the offsets of two tasks. */
function fill(producer: TransactionalProducer, round = 0): void {
  producer.append('task', recordOf(`${round}`))
  producer.append('task', recordOf(`${round}`, 1))
  producer.commitOffsets(commitOf('a', 0))
  producer.commitOffsets(commitOf('b', 1))
}

async function commit({ clock, producer }: Scene, round = 0): Promise<void> {
  await clock.settle(producer.begin())
  fill(producer, round)
  await clock.settle(producer.end())
}

/** Answers the first requests of this name with these fates, and all others as they should be. */
function fates({ brokers }: Scene, name: string, ...planned: readonly Fate[]): void {
  const left = [...planned]
  brokers.script = (asked) => (names[asked.key] === name ? (left.shift() ?? 'pass') : 'pass')
}

test('one request adds all partitions, before the first of them is written to', async () => {
  const all = await scene(1)
  await commit(all)
  const asked = all.asked()
  assert.ok(asked.indexOf('AddPartitions') < asked.indexOf('Produce'), asked.join())
  const count = (name: string): number => asked.filter((one) => one === name).length
  assert.deepEqual(
    ['AddPartitions', 'AddOffsets', 'TxnOffsetCommit', 'Produce', 'EndTxn commit'].map(count),
    [1, 1, 1, 1, 1]
  )
  assert.equal(asked.at(-1), 'EndTxn commit')
})

test('a partition that joins late is added then, and only once', async () => {
  const all = await scene(1)
  const { clock, producer } = all
  await producer.begin()
  producer.append('task', recordOf('a'))
  await clock.advance(50)
  producer.append('task', recordOf('b', 1))
  await clock.advance(50)
  producer.append('task', recordOf('c', 1))
  await clock.settle(producer.end())
  const added = all.asked().filter((one) => one === 'AddPartitions')
  assert.equal(added.length, 2)
})

test('with KIP-890 writing is enough, and sequences begin anew in each transaction', async () => {
  const all = await scene(2)
  await commit(all, 0)
  await commit(all, 1)
  assert.deepEqual(new Set(all.asked()), new Set(['Produce', 'TxnOffsetCommit', 'EndTxn commit']))
  const { batches } = all.brokers.partition('t', 0)
  assert.deepEqual(batches, [
    { epoch: 0, sequence: 0, count: 1 },
    { epoch: 1, sequence: 0, count: 1 }
  ])
})

test('without it they go on', async () => {
  const all = await scene(1)
  await commit(all, 0)
  await commit(all, 1)
  assert.deepEqual(all.brokers.partition('t', 0).batches, [
    { epoch: 0, sequence: 0, count: 1 },
    { epoch: 0, sequence: 1, count: 1 }
  ])
})

test('a request that may still arrive finds another epoch in the next transaction', async () => {
  for (const name of ['AddPartitions', 'AddOffsets', 'TxnOffsetCommit', 'EndTxn']) {
    const all = await scene(1)
    fates(all, name, 'lose-request')
    await commit(all, 0)
    assert.equal(all.asked().at(-1), 'EndTxn commit')
    const { clock, producer } = all
    await clock.settle(producer.begin())
    assert.equal(all.asked().at(-1), 'InitProducerId')
    fill(producer, 1)
    await clock.settle(producer.end())
    await commit(all, 2)
    assert.deepEqual(all.brokers.partition('t', 0).batches, [
      { epoch: 0, sequence: 0, count: 1 },
      { epoch: 1, sequence: 0, count: 1 },
      { epoch: 1, sequence: 1, count: 1 }
    ])
  }
})

test('a producer whose epoch cannot be renewed is over, and what it committed stands', async () => {
  const all = await scene(1)
  const { clock, producer } = all
  fates(all, 'EndTxn', 'lose-answer')
  await commit(all, 0)
  fates(all, 'InitProducerId', 90)
  const fenced = { code: 'TAILRACE_TRANSPORT_FENCED' }
  await clock.settle(assert.rejects(producer.begin(), fenced))
  await assert.rejects(producer.begin(), fenced)
  await clock.settle(producer.close())
})

test('the offsets of all tasks are one request, with the member that proves them', async () => {
  const all = await scene(2)
  await commit(all)
  const request = all.brokers.asked.find(({ key }) => key === 28)
  assert.ok(request !== undefined)
  const reader = new WireReader(request.body)
  assert.deepEqual([reader.text(), reader.text()], ['p', 'g'])
  assert.deepEqual([reader.bigint64(), reader.int16()], [7n, 0])
  assert.deepEqual([reader.int32(), reader.text(), reader.text()], [4, 'm', 'i'])
  const partitions = reader.list(() => {
    reader.text()
    return reader.list(() => {
      const partition = reader.int32()
      assert.equal(reader.int64(), 5)
      reader.int32()
      reader.text()
      reader.end()
      return partition
    })
  })
  assert.deepEqual(partitions, [[0, 1]])
})

test('an end with nothing in it asks nothing', async () => {
  for (const versionMax of [1, 2]) {
    const all = await scene(versionMax)
    await all.producer.begin()
    assert.deepEqual(await all.producer.end(), { fenced: [], ends: [] })
    await all.producer.begin()
    await all.producer.abort()
    assert.deepEqual(all.asked(), [])
  }
})

for (const versionMax of [1, 2]) {
  describe(`transaction.version ${versionMax}`, () => {
    test('a coordinator that is busy, moved or cut off is asked again', async () => {
      const all = await scene(versionMax)
      const apis = ['TxnOffsetCommit', 'EndTxn', 'Produce']
      if (versionMax === 1) apis.push('AddPartitions', 'AddOffsets')
      let round = 0
      for (const name of apis) {
        const codes =
          name === 'Produce' ? [concurrentTransactions] : [concurrentTransactions, notCoordinator]
        fates(all, name, ...codes, 'lose-request', 'lose-answer')
        await commit(all, round)
        round++
      }
      const values = Array.from({ length: round }, (_, i) => `${i}`)
      for (const partition of [0, 1]) {
        assert.deepEqual(all.brokers.partition('t', partition).values, values)
      }
    })

    test('a partition that has no leader for a moment is waited for', async (t) => {
      const all = await scene(versionMax)
      const leader = all.brokers.leader.bind(all.brokers)
      let failures = 3
      t.mock.method(all.brokers, 'leader', async (at: Parameters<typeof leader>[0]) => {
        if (failures-- > 0) throw new KafkaFailure(local.noLeader, 'finding the leader')
        return leader(at)
      })
      await commit(all)
      assert.deepEqual(all.brokers.partition('t', 0).values, ['0'])
    })

    test('offsets that are refused abort the transaction, and the next one goes on', async () => {
      for (const code of [22, 25, 82]) {
        const all = await scene(versionMax)
        const { clock, producer } = all
        fates(all, 'TxnOffsetCommit', code)
        await producer.begin()
        fill(producer)
        const ended = assert.rejects(producer.end(), (error) => {
          return hasCode(error, 'TAILRACE_TRANSPORT_FENCED') && error.isDefinite
        })
        await clock.settle(ended)
        assert.equal(all.asked().at(-1), 'EndTxn abort')
        await commit(all, 1)
        assert.equal(all.asked().at(-1), 'EndTxn commit')
      }
    })

    test('a lost record aborts; where its sequence is lost too, the epoch is renewed', async () => {
      const all = await scene(versionMax)
      const { brokers, clock, producer } = all
      await commit(all, 0)
      fates(all, 'Produce', 'lose-answer', 29)
      await producer.begin()
      fill(producer)
      const code = 'TAILRACE_TRANSPORT_FORBIDDEN'
      const ended = producer.end()
      await clock.settle(assert.rejects(ended, (error) => hasCode(error, code) && error.isDefinite))
      const asked = all.asked()
      assert.ok(asked.includes('EndTxn abort'), asked.join())
      assert.equal(asked.at(-1), versionMax === 1 ? 'InitProducerId' : 'EndTxn abort')
      await commit(all, 2)
      assert.equal(brokers.partition('t', 0).values.at(-1), '2')
    })

    test('an end that is refused is definite, and this producer is over', async () => {
      const all = await scene(versionMax)
      const { clock, producer } = all
      fates(all, 'EndTxn', 90)
      await producer.begin()
      fill(producer)
      const fenced = { code: 'TAILRACE_TRANSPORT_FENCED', isDefinite: true }
      await clock.settle(assert.rejects(producer.end(), fenced))
      await assert.rejects(producer.begin(), { code: 'TAILRACE_TRANSPORT_FENCED' })
      await clock.settle(producer.close())
    })

    test('an end whose answers are lost is not definite, also if refused later', async () => {
      for (const then of ['lose-answer', 90] as const) {
        const all = await scene(versionMax)
        const { clock, producer } = all
        fates(all, 'EndTxn', 'lose-answer', ...Array.from({ length: 40 }, () => then))
        await producer.begin()
        fill(producer)
        const ended = assert.rejects(producer.end(), { isDefinite: false })
        await clock.settle(ended)
        await assert.rejects(producer.begin())
        await clock.settle(producer.close())
      }
    })

    test('close aborts what is open, and ends what never comes to an end', async () => {
      const all = await scene(versionMax)
      const { clock, producer } = all
      await producer.begin()
      producer.append('task', recordOf('open'))
      await clock.advance(50)
      await clock.settle(producer.close())
      assert.equal(all.asked().at(-1), 'EndTxn abort')

      const other = await scene(versionMax)
      other.brokers.script = ({ key }) => (key === 26 ? concurrentTransactions : 'pass')
      await other.producer.begin()
      fill(other.producer)
      const ended = assert.rejects(other.producer.end())
      await other.clock.advance(100)
      await other.clock.settle(other.producer.close())
      await other.clock.settle(ended)
    })
  })
}
