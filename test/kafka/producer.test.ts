// The plain producer on a real broker: read by Kafka's own consumer, and refused as Kafka refuses.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import type { OutgoingRecord } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { type KafkaProducer, openProducer } from '../../src/transport/kafka/producer.ts'
import { type TestBroker, testBroker } from './broker.ts'
import { consumeByJava } from './java-clients.ts'
import { Session } from './session.ts'

const timeout = 180_000
let broker: TestBroker
let session: Session
let producer: KafkaProducer

before(
  async () => {
    broker = await testBroker()
    session = await Session.open(broker)
    producer = await openProducer({ cluster: session.cluster, clock: realClock })
  },
  { timeout }
)

after(async () => {
  await producer?.close()
  await session?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

const timestamp = 1_700_000_000_000

function recordOf(topic: string, partition: number, value: string): OutgoingRecord {
  return { topic, partition, key: Buffer.from(`k${value}`), value: Buffer.from(value), timestamp }
}

test('Kafka’s own consumer reads what was sent, as it was', { timeout }, async () => {
  const topic = await session.topic('sent', 2)
  const headers = [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: Buffer.from('2') }
  ]
  const sends = [
    { ...recordOf(topic, 0, 'with headers'), headers },
    { ...recordOf(topic, 0, 'without a key'), key: null },
    { ...recordOf(topic, 0, ''), value: null, timestamp: timestamp - 5 },
    recordOf(topic, 1, 'on the other partition')
  ].map((record) => producer.send(record))
  const sent = await Promise.all(sends)
  assert.deepEqual(
    sent.map(({ partition, offset }) => [partition, offset]),
    [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0]
    ]
  )
  const { servers } = broker
  const found = await consumeByJava({ servers, topic, count: 4 })
  assert.deepEqual(
    found.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset),
    [
      { value: 'with headers', key: 'kwith headers', headers: 'a:1,b:2', timestamp },
      { value: 'without a key', key: null, headers: '', timestamp },
      { value: null, key: 'k', headers: '', timestamp: timestamp - 5 },
      { value: 'on the other partition', key: 'kon the other partition', headers: '', timestamp }
    ].map((one, i) => ({ ...one, partition: i === 3 ? 1 : 0, offset: i === 3 ? 0 : i }))
  )
})

test('many records in many batches keep their order', { timeout }, async () => {
  const topic = await session.topic('many', 4)
  const count = 40_000
  const sends: Promise<unknown>[] = []
  for (let i = 0; i < count; i++) {
    sends.push(producer.send(recordOf(topic, i % 4, `${i}`)))
    if (i % 1_000 === 0) await realClock.turn()
  }
  await Promise.all(sends)
  const found = await session.readAll(topic, { partitions: 4 })
  const expected = [0, 1, 2, 3].flatMap((partition) =>
    Array.from({ length: count / 4 }, (_, i) => `${i * 4 + partition}`)
  )
  assert.deepEqual(
    found.map(({ value }) => value),
    expected
  )
})

test('a record beyond the topic’s limit is refused with the limit', { timeout }, async () => {
  const topic = await session.topic('small')
  const value = Buffer.alloc(1_200_000)
  const large = producer.send({ ...recordOf(topic, 0, 'x'), value })
  const after = producer.send(recordOf(topic, 0, 'after'))
  await assert.rejects(large, (error) => {
    assert.ok(hasCode(error, 'TAILRACE_SCHEMA_TOO_LARGE') && error.isDefinite)
    assert.match(error.message, /small-\w+\/0 makes a batch of 1200\d+ bytes; the topic takes \d+ /)
    return true
  })
  assert.equal((await after).offset, 0)
})

test('a batch beyond the topic’s limit is split, and all of it is in the log', {
  timeout
}, async () => {
  const topic = await session.topic('split')
  const many = await openProducer({
    cluster: session.cluster,
    clock: realClock,
    limits: { batchBytesMax: 4 * 1024 * 1024 }
  })
  try {
    const filler = 'x'.repeat(10_000)
    const sends = Array.from({ length: 300 }, (_, i) => {
      return many.send(recordOf(topic, 0, `${i} ${filler}`))
    })
    const offsets = (await Promise.all(sends)).map(({ offset }) => offset)
    assert.deepEqual(
      offsets,
      offsets.map((_, i) => i)
    )
    const found = await session.readAll(topic, { partitions: 1 })
    assert.deepEqual(
      found.map(({ value }) => value?.split(' ')[0]),
      offsets.map(String)
    )
  } finally {
    await many.close()
  }
})

test('a record without a key is refused where the topic compacts', { timeout }, async () => {
  const topic = await session.topic('compacted')
  const name = `${topic}-c`
  const settings = { cleanupPolicy: 'compact', retentionMs: -1, timestampType: 'create' } as const
  await session.admin.create([
    { name, partitions: 1, replication: 1, settings: { ...settings, extra: {} } }
  ])
  const sends = [
    recordOf(name, 0, 'a'),
    { ...recordOf(name, 0, 'bad'), key: null },
    recordOf(name, 0, 'b')
  ].map((record) => producer.send(record))
  const [first, bad, last] = await Promise.allSettled(sends)
  assert.deepEqual(
    [first?.status, bad?.status, last?.status],
    ['fulfilled', 'rejected', 'fulfilled']
  )
  assert.ok(bad?.status === 'rejected')
  assert.ok(hasCode(bad.reason, 'TAILRACE_TRANSPORT_REFUSED'), String(bad.reason))
  assert.ok(bad.reason.isDefinite)
  const found = await session.readAll(name, { partitions: 1 })
  assert.deepEqual(
    found.map(({ value }) => value),
    ['a', 'b']
  )
})
