// Kafka's own clients write what we read, and read what we wrote.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { murmur2Partitioner } from '../../src/core/partitioner.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { openProducer } from '../../src/transport/kafka/producer.ts'
import { openTransactional } from '../../src/transport/kafka/transaction.ts'
import { type TestBroker, testBroker } from './broker.ts'
import { consumeByJava, produceByJava, type TextRecord } from './java-clients.ts'
import { Session } from './session.ts'

const timeout = 180_000
const partitions = 5

let broker: TestBroker
let session: Session

before(async () => {
  broker = await testBroker()
  session = await Session.open(broker)
})
after(async () => {
  await session?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

/** Without what the log adds to a record. */
function asSent({ headers, key, value }: TextRecord): TextRecord {
  return { headers, key, value }
}

const byText = (a: TextRecord, b: TextRecord): number =>
  JSON.stringify(asSent(a)) < JSON.stringify(asSent(b)) ? -1 : 1

const written: readonly TextRecord[] = [
  ...Array.from({ length: 300 }, (_, index) => ({
    key: `page-${index % 40}`,
    value: JSON.stringify({ index, text: 'words that repeat, words that repeat' }),
    headers: ''
  })),
  { key: 'tombstone', value: null, headers: '' },
  { key: null, value: 'no key', headers: '' },
  { key: 'größe 鍵 🔑', value: 'größe 鍵 🔑', headers: 'trace:abc,spur:größe,trace:again' }
]

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`what Java writes with ${compression} is read`, { timeout }, async () => {
    const topic = await session.topic(`java-${compression}`, partitions)
    await produceByJava({ compression, topic, servers: broker.servers }, written)
    const read = await session.readAll(topic, { partitions })
    assert.deepEqual(read.map(asSent).toSorted(byText), written.toSorted(byText))
    for (const { key, partition } of read) {
      if (key === null) continue
      const ours = murmur2Partitioner.partition(Buffer.from(key), partitions)
      assert.equal(partition, ours, `Java put ${key} into ${partition}`)
    }
  })
}

/** As our producers take it. */
function outgoing(topic: string, { headers, key, value }: TextRecord, timestamp: number) {
  const keyBytes = key === null ? null : Buffer.from(key)
  const pairs = headers === '' ? [] : headers.split(',').map((pair) => pair.split(':'))
  return {
    topic,
    partition: keyBytes === null ? 0 : murmur2Partitioner.partition(keyBytes, partitions),
    key: keyBytes,
    value: value === null ? null : Buffer.from(value),
    timestamp,
    headers: pairs.map(([name = '', text = '']) => ({ key: name, value: Buffer.from(text) }))
  }
}

test('what our plain producer writes is read by Java', { timeout }, async () => {
  const topic = await session.topic('plain', partitions)
  const producer = await openProducer({ cluster: session.cluster, clock: realClock })
  const first = Date.now() - 1_000
  try {
    const sent = written.map((record, at) => producer.send(outgoing(topic, record, first + at)))
    const deliveries = await Promise.all(sent)
    const read = await consumeByJava({ topic, count: written.length, servers: broker.servers })
    const place = (one: { partition: number; offset: number }): string =>
      `${one.partition}/${one.offset}`
    const found = new Map(read.map((record) => [place(record), record]))
    assert.equal(found.size, written.length)
    written.forEach((record, at) => {
      const delivery = deliveries[at] ?? assert.fail('a send without a delivery')
      const { headers, key, timestamp, value } = found.get(place(delivery)) ?? assert.fail()
      assert.deepEqual({ headers, key, value, timestamp }, { ...record, timestamp: first + at })
    })
  } finally {
    await producer.close()
  }
})

test('what our transactions committed is read by Java, and nothing else', {
  timeout
}, async () => {
  const topic = await session.topic('transactional', partitions)
  const producer = await openTransactional({
    cluster: session.cluster,
    clock: realClock,
    transactionalId: topic,
    transactionTimeoutMs: 60_000
  })
  const rounds = ['kept-1', 'dropped-1', 'kept-2', 'dropped-2', 'kept-3'] as const
  const valuesOf = (round: string): string[] =>
    Array.from({ length: 50 }, (_, index) => `${round}-${index}`)
  try {
    for (const round of rounds) {
      await producer.begin()
      for (const value of valuesOf(round)) {
        const record = { key: value.replace(/^\w+/, 'key'), value, headers: '' }
        producer.append('task', outgoing(topic, record, Date.now()))
      }
      if (round.startsWith('kept')) await producer.end()
      else await producer.abort()
    }
    const kept = rounds.filter((round) => round.startsWith('kept')).flatMap(valuesOf)
    // One that should not be there would take the place of one that should.
    const read = await consumeByJava({ topic, count: kept.length, servers: broker.servers })
    assert.deepEqual(read.map(({ value }) => String(value)).toSorted(), kept.toSorted())
    const ours = await session.readAll(topic, { partitions })
    assert.deepEqual(
      ours,
      read.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    )
  } finally {
    await producer.close()
  }
})
