// The memory log against the exported suite, and what only it can do: faults and crashes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transportConformance } from '../../conformance/transport.ts'
import { TailraceError } from '../../core/errors.ts'
import { pause } from '../../port/clock.ts'
import type { OutgoingRecord, TopicSettings } from '../../port/transport.ts'
import { MemoryBroker } from './broker.ts'
import type { Fault } from './gate.ts'
import { createMemoryTransport } from './index.ts'
import { VirtualClock } from './virtual-clock.ts'

transportConformance({
  name: 'memory',
  features: { sessionTimeoutMs: 1_000 },
  async create() {
    const clock = new VirtualClock()
    const stop = clock.flow()
    const broker = new MemoryBroker({ clock })
    return {
      clock,
      async connect() {
        const transport = createMemoryTransport(broker)
        await transport.open()
        return transport
      },
      jumpWall: (ms) => clock.jumpWall(ms),
      dispose: stop
    }
  }
})

const settings: TopicSettings = {
  cleanupPolicy: 'delete',
  retentionMs: -1,
  timestampType: 'create',
  extra: {}
}
const at = { topic: 'topic', partition: 0 }
const lost = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'the test broke the connection')

function brokerWith(partitions: number, changed: Partial<TopicSettings> = {}): MemoryBroker {
  const broker = new MemoryBroker({ clock: new VirtualClock(), id: 'test' })
  const all = { ...settings, ...changed }
  broker.createTopic({ name: 'topic', partitions, replication: 1, settings: all })
  return broker
}

function clockOf(broker: MemoryBroker): VirtualClock {
  assert.ok(broker.clock instanceof VirtualClock)
  return broker.clock
}

function record(value: string, partition = 0, timestamp = 1): OutgoingRecord {
  return { topic: 'topic', partition, key: Buffer.from('k'), value: Buffer.from(value), timestamp }
}

test('a delayed send does not let a later one of its partition overtake it', async () => {
  const broker = brokerWith(2)
  const delays = [500, 0, 0]
  const faults = (operation: string): Fault | undefined =>
    operation === 'producer.send' ? { delayMs: delays.shift() ?? 0 } : undefined
  const producer = await createMemoryTransport(broker, { faults }).producer()
  const order: number[] = []
  const sends = [record('a'), record('b'), record('c', 1)].map((one, index) =>
    producer.send(one).then(({ offset }) => order.push(index) && offset)
  )
  assert.deepEqual(await clockOf(broker).settle(Promise.all(sends)), [0, 1, 0])
  assert.deepEqual(order, [2, 0, 1])
})

test('flush waits for sends that take their time', async () => {
  const broker = brokerWith(1)
  const faults = (operation: string): Fault | undefined =>
    operation === 'producer.send' ? { delayMs: 500 } : undefined
  const producer = await createMemoryTransport(broker, { faults }).producer()
  const sends = [producer.send(record('a')), producer.send(record('b'))]
  await clockOf(broker).settle(producer.flush())
  assert.equal(broker.log(at).end, 2)
  await Promise.all(sends)
})

test('a failed operation takes no hold, and one that fails afterwards did', async () => {
  const broker = brokerWith(1)
  const fates: (Fault | undefined)[] = [{ error: lost }, { error: lost, isAfter: true }]
  const faults = (operation: string): Fault | undefined =>
    operation === 'transaction.end' ? fates.shift() : undefined
  const transport = createMemoryTransport(broker, { faults })
  const ends: number[] = []
  for (let i = 0; i < 2; i++) {
    const producer = await transport.transactionalProducer('p')
    await producer.begin()
    producer.append('task', record('v'))
    await assert.rejects(producer.end(), lost)
    ends.push(broker.log(at).end)
  }
  assert.deepEqual(ends, [0, 1])
})

test('a begin that fails leaves nothing open', async () => {
  const broker = brokerWith(1)
  const fates: (Fault | undefined)[] = [{ error: lost }]
  const faults = (operation: string): Fault | undefined =>
    operation === 'transaction.begin' ? fates.shift() : undefined
  const producer = await createMemoryTransport(broker, { faults }).transactionalProducer('p')
  await assert.rejects(producer.begin(), lost)
  await producer.begin()
})

test('after a crash nothing under way takes hold and nothing is answered', async () => {
  const broker = brokerWith(1)
  const clock = clockOf(broker)
  const slow = createMemoryTransport(broker, { faults: () => ({ delayMs: 100 }) })
  const producer = await clock.settle(slow.producer())
  const fetcher = await clock.settle(slow.fetcher())
  const answers: string[] = []
  const note = (what: string) => (): void => {
    answers.push(what)
  }
  fetcher.add([{ ...at, offset: 0 }])
  producer.send(record('v')).then(note('sent'), note('refused'))
  fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 50 }).then(note('fetched'), note('not fetched'))
  await clock.advance(50)
  slow.crash()
  producer.send(record('w')).then(note('sent later'), note('refused later'))
  await clock.runUntilIdle()
  assert.deepEqual(answers, [])
  assert.equal(broker.log(at).end, 0)
  const other = await createMemoryTransport(broker).producer()
  assert.equal((await other.send(record('x'))).offset, 0)
})

test('a crashed member is gone when its session is over', async () => {
  const broker = brokerWith(1)
  const sources = [at]
  const tasks = [{ id: 't/0', subTopology: 't', partition: 0, sources }]
  const join = { group: 'g', topologyHash: 'h', tasks, heartbeatMs: 200, url: undefined }
  const [dying, living] = [createMemoryTransport(broker), createMemoryTransport(broker)]
  const first = await dying.coordinator()
  await first.join({ ...join, memberId: 'a', sessionTimeoutMs: 3_000 })
  await first.beat()
  const second = await living.coordinator()
  await second.join({ ...join, memberId: 'b', sessionTimeoutMs: 3_000 })
  dying.crash()
  const takenAt: number[] = []
  const clock = clockOf(broker)
  while (takenAt.length === 0) {
    await clock.advance(200)
    if ((await second.beat()).owned.length > 0) takenAt.push(clock.monotonic())
  }
  assert.deepEqual(takenAt, [3_200])
})

test('the same seed gives the same order, another seed another one', async () => {
  const traceOf = async (seed: number): Promise<string> => {
    let state = seed
    const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
    const clock = new VirtualClock({ random })
    const broker = new MemoryBroker({ clock, id: 'test' })
    broker.createTopic({ name: 'topic', partitions: 1, replication: 1, settings })
    let trace = ''
    const work = async (name: string): Promise<void> => {
      const faults = (): Fault => ({ delayMs: Math.floor(random() * 20) })
      const transport = createMemoryTransport(broker, { faults })
      const producer = await transport.producer()
      for (let i = 0; i < 5; i++) {
        await producer.send(record(name))
        trace += name
        await pause(clock, 5)
      }
    }
    await clock.settle(Promise.all(['a', 'b', 'c'].map(work)))
    return trace
  }
  assert.equal(await traceOf(7), await traceOf(7))
  const traces = await Promise.all([1, 2, 3, 4].map(traceOf))
  assert.ok(new Set(traces).size > 1, 'four seeds gave one order')
})

test('the log deletes what is old by itself while records come in', async () => {
  const broker = brokerWith(1, { retentionMs: 1_000 })
  const clock = clockOf(broker)
  const producer = await createMemoryTransport(broker).producer()
  await producer.send(record('old', 0, clock.now()))
  await clock.advance(120_000)
  await producer.send(record('young', 0, clock.now()))
  const { start, end } = broker.log(at)
  assert.deepEqual([start, end], [1, 2])
})

test('the log compacts by itself only when enough has come in', async () => {
  const broker = brokerWith(1, { cleanupPolicy: 'compact' })
  const clock = clockOf(broker)
  const producer = await createMemoryTransport(broker).producer()
  const sizeAfter = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) await producer.send(record(`${i}`))
    await clock.advance(60_000)
    await producer.send(record('last'))
    return broker.log(at).read(0, 1_000_000).bytes.length
  }
  const one = (await sizeAfter(0)) * 1
  assert.ok((await sizeAfter(100)) <= 3 * one)
  assert.ok((await sizeAfter(10)) > 10 * one, 'a few new records had the whole log cleaned')
})

test('compaction keeps what the log itself stamped', async () => {
  const broker = brokerWith(1, { cleanupPolicy: 'compact', timestampType: 'append' })
  const transport = createMemoryTransport(broker)
  const producer = await transport.transactionalProducer('p')
  await producer.begin()
  for (const key of ['a', 'b', 'a']) {
    producer.append('task', { ...record('v'), key: Buffer.from(key) })
  }
  await producer.end()
  const stamped = clockOf(broker).now()
  await (await transport.producer()).send(record('seal'))
  await transport.admin().maintain()
  assert.equal(broker.log(at).offsetAt(stamped), 1)
  assert.equal(broker.log(at).offsetAt(stamped + 1), 4)
})

test('a record without a key is no later value of the empty key', async () => {
  const broker = brokerWith(1, { cleanupPolicy: 'compact' })
  const transport = createMemoryTransport(broker)
  const producer = await transport.producer()
  for (const key of [Buffer.alloc(0), null, Buffer.from('seal')]) {
    await producer.send({ ...record('v'), key })
  }
  await transport.admin().maintain()
  assert.equal(broker.log(at).offsetAt(0), 0)
})

test('a transaction is one instant: maintenance never sees half of it', async () => {
  const broker = brokerWith(2)
  const seen: number[][] = []
  const look = (): void => {
    seen.push([0, 1].map((partition) => broker.log({ topic: 'topic', partition }).end))
    broker.changed.wait(look)
  }
  broker.changed.wait(look)
  const producer = await createMemoryTransport(broker).transactionalProducer('p')
  await producer.begin()
  for (const partition of [0, 1]) producer.append('task', record('v', partition))
  await producer.end()
  await clockOf(broker).runUntilIdle()
  assert.deepEqual(seen, [[1, 1]])
})
