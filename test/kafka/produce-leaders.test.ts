// Writing while brokers are killed and come back: leaders and coordinators move, records do not.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import type { OutgoingRecord, TransactionalProducer } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { openProducer } from '../../src/transport/kafka/producer.ts'
import { openTransactional } from '../../src/transport/kafka/transaction.ts'
import { ownBroker } from './broker.ts'
import { Session } from './session.ts'

const timeout = 400_000
const partitions = 3
/** A broker that comes back on a slow machine takes its time to be in sync again. */
const limits = { deliveryTimeoutMs: 300_000 }
let brokers: KafkaCluster
let session: Session

before(
  async () => {
    brokers = await ownBroker({ nodes: 3 })
    session = await Session.open({ host: '127.0.0.1', port: brokers.port('plain', 1) })
  },
  { timeout }
)

after(async () => {
  await session?.[Symbol.asyncDispose]()
  await brokers?.stop()
})

/** Of three copies; every broker leads one of its partitions. */
async function topicOf(name: string): Promise<string> {
  const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
  const spec = { name, partitions, replication: 3, settings: { ...settings, extra: {} } }
  await session.admin.create([spec])
  return name
}

function recordOf(topic: string, number: number): OutgoingRecord {
  const partition = number % partitions
  return { topic, partition, key: null, value: Buffer.from(`${number}`), timestamp: 1_700_000_000 }
}

/** The numbers of each partition, in order. */
function expectedOf(count: number): readonly string[] {
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: count }, (__, i) => i).filter((i) => i % partitions === partition)
  ).flatMap((numbers) => numbers.map(String))
}

async function readAll(topic: string, count: number): Promise<readonly (string | null)[]> {
  for (;;) {
    const found = await session.readAll(topic, { partitions })
    if (found.length >= count) return found.map(({ value }) => value)
    await realClock.turn()
  }
}

/** Kills one broker after the other, each when `work` has got on, and lets it come back. */
async function killEach(progress: () => number): Promise<void> {
  for (const id of [2, 3]) {
    await gotOn(progress)
    await brokers.node(id).kill()
    await gotOn(progress)
    await brokers.node(id).start()
  }
  await gotOn(progress)
}

async function gotOn(progress: () => number): Promise<void> {
  const before = progress()
  while (progress() < before + 20) await realClock.turn()
}

test('sends are in the log once and in order, whichever broker is gone', { timeout }, async () => {
  const topic = await topicOf('sent')
  const producer = await openProducer({ cluster: session.cluster, clock: realClock, limits })
  let delivered = 0
  let isOver = false
  const writing = (async () => {
    let count = 0
    while (!isOver) {
      const sends = Array.from({ length: 30 }, () => producer.send(recordOf(topic, count++)))
      await Promise.all(sends)
      delivered += sends.length
    }
    return count
  })()
  try {
    await Promise.race([killEach(() => delivered / 30), writing])
  } finally {
    isOver = true
  }
  const count = await writing
  await producer.close()
  assert.deepEqual(await readAll(topic, count), expectedOf(count))
})

test('transactions are whole and once, whichever broker is gone', { timeout }, async () => {
  const topic = await topicOf('committed')
  await topicOf('in')
  const producer = await openTransactional({
    cluster: session.cluster,
    clock: realClock,
    transactionalId: 'leaders',
    transactionTimeoutMs: 60_000,
    patienceMs: 300_000,
    limits
  })
  let commits = 0
  let isOver = false
  const writing = (async () => {
    for (; !isOver; commits++) await commit(producer, topic, commits)
  })()
  try {
    await Promise.race([killEach(() => commits), writing])
  } finally {
    isOver = true
  }
  await writing
  await producer.close()
  const count = commits * partitions
  assert.deepEqual(await readAll(topic, count), expectedOf(count))
  const [committed] = await session.admin.committed('g', [{ topic: 'in', partition: 0 }])
  assert.equal(committed?.offset, commits)
})

async function commit(
  producer: TransactionalProducer,
  topic: string,
  round: number
): Promise<void> {
  await producer.begin()
  for (let i = 0; i < partitions; i++) {
    producer.append('task', recordOf(topic, round * partitions + i))
  }
  const offsets = [{ topic: 'in', partition: 0, offset: round + 1, metadata: '' }]
  producer.commitOffsets({ group: 'g', task: 'task', memberId: 'm', epoch: 0, offsets })
  await producer.end()
}
