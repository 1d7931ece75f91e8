// Sends to brokers that fail: every record once and in order, whatever is lost on the way.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import type { OutgoingRecord } from '../../src/port/transport.ts'
import { produceLimits, ProduceSender } from '../../src/transport/kafka/produce-sender.ts'
import { KafkaProducer } from '../../src/transport/kafka/producer.ts'
import { VirtualClock } from '../../src/transport/memory/virtual-clock.ts'
import { type Fate, limitAnswer, readProduce, ScriptedBrokers } from './scripted-brokers.ts'

const produce = 0
const identity = { id: 7n, epoch: 0 }

function recordOf(value: string, partition = 0): OutgoingRecord {
  return { topic: 't', partition, key: null, value: Buffer.from(value), timestamp: 1_700_000_000 }
}

interface Scene {
  readonly clock: VirtualClock
  readonly brokers: ScriptedBrokers
  readonly producer: KafkaProducer
}

function scene(limits: Partial<typeof produceLimits> = {}): Scene {
  const clock = new VirtualClock()
  const brokers = new ScriptedBrokers(clock)
  brokers.partition('t', 0)
  brokers.partition('t', 1)
  return {
    clock,
    brokers,
    producer: new KafkaProducer({ cluster: brokers, clock, limits }, identity)
  }
}

/** Sends one batch for each value: the turn between them closes it. */
async function sendApart(
  { clock, producer }: Scene,
  values: readonly string[],
  partition = 0
): Promise<readonly Promise<number>[]> {
  const sends: Promise<number>[] = []
  for (const value of values) {
    const send = producer.send(recordOf(value, partition)).then(({ offset }) => offset)
    // Looked at later.
    send.catch(() => undefined)
    sends.push(send)
    await clock.advance(0.2)
  }
  return sends
}

const values = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `${from + i}`)

test('records of one turn are one batch of each partition, and one request', async () => {
  const { brokers, clock, producer } = scene()
  const sends = [0, 1, 0, 1].map((partition, i) => producer.send(recordOf(`${i}`, partition)))
  const found = await clock.settle(Promise.all(sends))
  assert.deepEqual(
    found.map(({ partition, offset }) => [partition, offset]),
    [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1]
    ]
  )
  assert.equal(brokers.count(produce), 1)
  const [request] = brokers.asked
  assert.ok(request !== undefined)
  assert.equal(readProduce(request.body)[0]?.entries.length, 2)
})

test('one batch goes alone until the broker knows the producer, then five at once', async () => {
  const all = scene()
  const { brokers, clock } = all
  const first = await sendApart(all, ['first'])
  await clock.settle(Promise.all(first))
  brokers.latencyMs = 50
  const sends = await sendApart(all, values(8))
  assert.equal(brokers.count(produce), 1 + 5)
  await clock.settle(Promise.all(sends))
  // What could not go filled one batch meanwhile.
  assert.equal(brokers.count(produce), 1 + 5 + 1)
  assert.deepEqual(brokers.partition('t', 0).values, ['first', ...values(8)])
})

test('the first of five is lost: all go again in order, and none twice', async () => {
  for (const fate of ['lose-request', 'lose-answer', 7, 19] as const) {
    const all = scene()
    const { brokers, clock } = all
    await clock.settle(Promise.all(await sendApart(all, ['first'])))
    brokers.latencyMs = 20
    brokers.script = ({ count, key }) => (key === produce && count === 1 ? fate : 'pass')
    const sends = await sendApart(all, values(5))
    assert.deepEqual(await clock.settle(Promise.all(sends)), [1, 2, 3, 4, 5], `${fate}`)
    assert.deepEqual(brokers.partition('t', 0).values, ['first', ...values(5)])
  }
})

test('whatever is lost or refused, each record is in the log once and in order', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomOf(seed)
    const all = scene({ batchBytesMax: 400 })
    const { brokers, clock } = all
    brokers.latencyMs = 3
    brokers.script = () => fateOf(random)
    const sends: Promise<number>[] = []
    for (let round = 0; round < 40; round++) {
      const from = round * 5
      for (const partition of [0, 1])
        sends.push(...(await sendApart(all, values(5, from), partition)))
      if (random() < 0.1) brokers.partition('t', 0).leader ^= 1
      await clock.advance(random() * 20)
    }
    await clock.settle(Promise.all(sends))
    for (const partition of [0, 1]) {
      assert.deepEqual(brokers.partition('t', partition).values, values(200), `seed ${seed}`)
    }
  }
})

const codes = [3, 5, 6, 7, 19, 56]

function fateOf(random: () => number): Fate {
  const drawn = random()
  if (drawn < 0.05) return 'lose-request'
  if (drawn < 0.1) return 'lose-answer'
  return drawn < 0.2 ? (codes[Math.floor(random() * codes.length)] ?? 7) : 'pass'
}

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test('a sequence wraps to 0 behind the largest 32-bit number', async () => {
  const all = scene()
  const { brokers, clock } = all
  // As if so many records had been sent.
  const sender = new ProduceSender({
    cluster: brokers,
    clock,
    limits: { ...produceLimits, lingerMs: 0 },
    identity,
    version: 11,
    transactionalId: null
  })
  const { queue } = sender.append(recordOf('a'))
  queue.startAt(2 ** 31 - 2)
  for (const value of ['b', 'c']) sender.append(recordOf(value))
  await clock.settle(sender.flush())
  sender.append(recordOf('d'))
  await clock.settle(sender.flush())
  const { batches } = brokers.partition('t', 0)
  assert.deepEqual(
    batches.map(({ sequence }) => sequence),
    [2 ** 31 - 2, 1]
  )
})

test('a log that forgot the producer is sent on to under the next epoch', async () => {
  const all = scene()
  const { brokers, clock } = all
  await clock.settle(Promise.all(await sendApart(all, values(2))))
  const partition = brokers.partition('t', 0)
  brokers.script = ({ count, key }) => (key === produce && count === 2 ? 59 : 'pass')
  await clock.settle(Promise.all(await sendApart(all, values(2, 2))))
  assert.deepEqual(partition.values, values(4))
  assert.deepEqual(
    partition.batches.map(({ epoch, sequence }) => [epoch, sequence]),
    [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1]
    ]
  )
})

test('a batch that is too large is split until its records fit', async () => {
  const { brokers, clock, producer } = scene()
  const partition = brokers.partition('t', 0)
  partition.bytesMax = 200
  const sends = values(40).map((value) => producer.send(recordOf(value)))
  const found = await clock.settle(Promise.all(sends))
  assert.deepEqual(
    found.map(({ offset }) => offset),
    values(40).map(Number)
  )
  assert.deepEqual(partition.values, values(40))
})

test('one record that is too large is refused, definitely, and the others go on', async () => {
  const all = scene()
  const { brokers, clock, producer } = all
  const partition = brokers.partition('t', 0)
  partition.bytesMax = 1_000
  await clock.settle(Promise.all(await sendApart(all, ['first'])))
  brokers.latencyMs = 20
  const large = producer.send(recordOf('x'.repeat(2_000)))
  brokers.answerOther = () => limitAnswer(1_000)
  const refused = assert.rejects(large, (error) => {
    assert.ok(hasCode(error, 'TAILRACE_SCHEMA_TOO_LARGE') && error.isDefinite)
    assert.match(error.message, /t\/0 .*the topic takes 1000 /)
    return true
  })
  const sends = await sendApart(all, values(4))
  await clock.settle(Promise.all([refused, ...sends]))
  assert.deepEqual(partition.values, ['first', ...values(4)])
})

test('a record that is refused by itself lets the others of its batch through', async () => {
  const { brokers, clock, producer } = scene()
  const bad = (body: Buffer): boolean => body.includes('bad')
  brokers.script = ({ body, key }) => (key === produce && bad(body) ? 32 : 'pass')
  const sends = ['0', '1', 'bad', '2', '3'].map((value) => producer.send(recordOf(value)))
  const settled = await clock.settle(Promise.allSettled(sends))
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']
  )
  assert.deepEqual(brokers.partition('t', 0).values, values(4))
})

test('what cannot be sent in time is rejected: definitely where it never went', async () => {
  for (const [fate, isDefinite] of [
    [19, true],
    [6, false],
    ['lose-answer', false]
  ] as const) {
    const all = scene({ deliveryTimeoutMs: 2_000 })
    const { brokers, clock } = all
    brokers.script = () => fate
    const [send] = await sendApart(all, ['late'])
    assert.ok(send !== undefined)
    const rejected = assert.rejects(send, { code: 'TAILRACE_TRANSPORT_UNAVAILABLE', isDefinite })
    await clock.settle(rejected)
  }
})

test('a topic that does not exist, and rights that are missing, reject at once', async () => {
  const { brokers, clock, producer } = scene()
  const unknown = { code: 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC', isDefinite: true }
  await clock.settle(assert.rejects(producer.send({ ...recordOf('v'), topic: 'none' }), unknown))
  brokers.script = () => 29
  const forbidden = { code: 'TAILRACE_TRANSPORT_FORBIDDEN', isDefinite: true }
  await clock.settle(assert.rejects(producer.send(recordOf('v')), forbidden))
  assert.ok(clock.monotonic() < 1_000)
})

test('flush waits for the halves of a split batch, and close for all that was sent', async () => {
  const { brokers, clock, producer } = scene()
  brokers.partition('t', 0).bytesMax = 200
  for (const value of values(20)) void producer.send(recordOf(value))
  await clock.settle(producer.flush())
  assert.equal(brokers.partition('t', 0).values.length, 20)
  void producer.send(recordOf('last'))
  await clock.settle(producer.close())
  assert.equal(brokers.partition('t', 0).values.at(-1), 'last')
  const closed = { code: 'TAILRACE_TRANSPORT_CLOSED', isDefinite: true }
  await assert.rejects(producer.send(recordOf('v')), closed)
})

test('what a leader may have kept is not certainly lost; its sequence is not reused', async (t) => {
  for (const code of [6, 56]) {
    const all = scene()
    const { brokers, clock, producer } = all
    const partition = brokers.partition('t', 0)
    const append = partition.append.bind(partition)
    const answers = [code, 29]
    t.mock.method(partition, 'append', (bytes: Buffer) => {
      const said = answers.shift()
      if (said === undefined) return append(bytes)
      // The others had it before the leader lost its place.
      if (said === code) append(bytes)
      return { code: said, offset: -1 }
    })
    const first = assert.rejects(
      producer.send(recordOf('a')),
      (error) => hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN') && !error.isDefinite
    )
    await clock.settle(first)
    await clock.settle(producer.send(recordOf('b')))
    assert.deepEqual(partition.values, ['a', 'b'])
  }
})
