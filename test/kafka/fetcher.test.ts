// The fetcher on real Kafka: what the port promises beyond the conformance suite.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { hasCode } from '../../src/core/errors.ts'
import type { Fetcher, TopicPartition } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { openTransactional } from '../../src/transport/kafka/transaction.ts'
import { type TestBroker, testBroker } from './broker.ts'
import { limits, numbersOf, readTo, valuesOf, withFetcher, write } from './fetch-checks.ts'
import { Session } from './session.ts'

const timeout = 120_000

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

/** Fetches until every partition was answered. */
async function settle(fetcher: Fetcher, partitions: number): Promise<void> {
  const answered = new Set<number>()
  while (answered.size < partitions) {
    for (const { partition } of await fetcher.fetch(limits)) answered.add(partition)
  }
}

test('a long poll holds up no partition that is added, resumed or sought', {
  timeout
}, async () => {
  const topic = await session.topic('long-poll', 4)
  const at = (partition: number): TopicPartition => ({ topic, partition })
  const poll = { bytesMax: 1_000_000, waitMaxMs: 600_000 }
  await write(session, at(3), { values: ['old'] })
  const run = async (fetcher: Fetcher): Promise<void> => {
    fetcher.add([0, 1].map((partition) => ({ ...at(partition), offset: 0 })))
    fetcher.add([{ ...at(3), offset: 1 }])
    await settle(fetcher, 3)
    fetcher.pause(at(0))
    const expect = async (partition: number, value: string, act: () => void): Promise<void> => {
      const waiting = fetcher.fetch(poll)
      await realClock.turn()
      act()
      const [chunk] = await waiting
      assert.equal(chunk?.partition, partition)
      assert.deepEqual(valuesOf(chunk, 0), [value])
    }
    await write(session, at(0), { values: ['paused'] })
    await write(session, at(2), { values: ['new'] })
    await expect(2, 'new', () => fetcher.add([{ ...at(2), offset: 0 }]))
    await expect(0, 'paused', () => fetcher.resume(at(0)))
    await expect(3, 'old', () => fetcher.seek({ ...at(3), offset: 0 }))
  }
  // Ten minutes: whoever waited for the long poll would wait longer than this test may.
  await withFetcher(session, run, { pollMsMax: 600_000 })
})

test('a fetch that is woken loses nothing of what the broker answers later', {
  timeout
}, async () => {
  const at = { topic: await session.topic('woken'), partition: 0 }
  const values = Array.from({ length: 60 }, (_, i) => `v${i}`)
  await withFetcher(session, async (fetcher) => {
    fetcher.add([{ ...at, offset: 0 }])
    await settle(fetcher, 1)
    const writing = write(session, at, { values })
    const seen: string[] = []
    let position = 0
    while (seen.length < values.length) {
      const waiting = fetcher.fetch({ ...limits, waitMaxMs: 5_000 })
      for (let turn = 0; turn < 3; turn++) await realClock.turn()
      fetcher.wake()
      for (const chunk of await waiting) {
        seen.push(...valuesOf(chunk, position))
        position = chunk.nextOffset
      }
    }
    await writing
    assert.deepEqual(seen, values)
  })
})

test('whatever is added, sought and paused, each partition goes on where it stands', {
  timeout
}, async () => {
  const partitions = 3
  const records = 200
  const topic = await session.topic('random', partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const values = Array.from({ length: records }, (_, i) => `${partition}/${i}`.padEnd(60))
    await write(session, { topic, partition }, { values, batch: 7 })
  }
  for (const seed of [1, 2, 3, 4]) {
    const pick = numbersOf(seed)
    await withFetcher(session, async (fetcher) => {
      const positions = new Map<number, number>()
      const paused = new Set<number>()
      const change = (partition: number): void => {
        const at = { topic, partition }
        const action = pick(5)
        if (!positions.has(partition) || action === 0) {
          const offset = pick(records)
          fetcher.add([{ ...at, offset }])
          positions.set(partition, offset)
          paused.delete(partition)
        } else if (action === 1) {
          fetcher.remove([at])
          positions.delete(partition)
        } else if (action === 2) {
          const offset = pick(records)
          fetcher.seek({ ...at, offset })
          positions.set(partition, offset)
        } else if (action === 3) {
          fetcher.pause(at)
          paused.add(partition)
        } else {
          fetcher.resume(at)
          paused.delete(partition)
        }
      }
      for (let step = 0; step < 400; step++) {
        const where = `seed ${seed}, step ${step}`
        if (pick(3) === 0) change(pick(partitions))
        const waiting = fetcher.fetch({ bytesMax: 1 + pick(3_000), waitMaxMs: pick(4) })
        if (pick(4) === 0) fetcher.wake()
        for (const { bytes, nextOffset, outOfRange, partition, ...rest } of await waiting) {
          const position = positions.get(partition)
          assert.ok(position !== undefined, `${where}: a removed partition is read`)
          assert.ok(!paused.has(partition), `${where}: a paused partition is read`)
          assert.equal(outOfRange, undefined, where)
          const values = valuesOf({ bytes, nextOffset, partition, ...rest }, position)
          const expected = values.map((_, i) => `${partition}/${position + i}`.padEnd(60))
          assert.deepEqual(values, expected, where)
          assert.equal(nextOffset, position + values.length, where)
          positions.set(partition, nextOffset)
        }
      }
    })
  }
})

function outgoing({ partition, topic }: TopicPartition, value: string) {
  return { topic, partition, key: null, value: Buffer.from(value), timestamp: 1 }
}

test('an open transaction hides what follows; aborted ones are passed over', {
  timeout
}, async () => {
  const at = { topic: await session.topic('transactions'), partition: 0 }
  const parts = { cluster: session.cluster, clock: realClock, transactionTimeoutMs: 60_000 }
  const one = await openTransactional({ ...parts, transactionalId: `${at.topic}-1` })
  const two = await openTransactional({ ...parts, transactionalId: `${at.topic}-2` })
  try {
    await one.begin()
    one.append('task', outgoing(at, 'committed'))
    await one.end()
    // One that is aborted, far larger than an answer, and another within it that stays open.
    await two.begin()
    two.append('task', outgoing(at, 'open'))
    await one.begin()
    for (let i = 0; i < 2_000; i++) one.append('task', outgoing(at, `aborted ${i}`.padEnd(500)))
    // An abort drops what was not sent yet; here all of it has to be in the log.
    while (((await session.admin.ranges([at]))[0]?.end ?? 0) < 2_003) await realClock.turn()
    await withFetcher(session, async (fetcher) => {
      fetcher.add([{ ...at, offset: 0 }])
      assert.deepEqual(await readTo(fetcher, at, { to: 1 }), ['committed'])
      const hidden = await fetcher.fetch({ ...limits, waitMaxMs: 100 })
      assert.ok(hidden.every(({ bytes }) => bytes.length === 0))
      await one.abort()
      await two.end()
      await one.begin()
      one.append('task', outgoing(at, 'last'))
      await one.end()
      // Markers are written after the answer to a commit: 2,003 records have four.
      const to = 2_007
      fetcher.seek({ ...at, offset: 0 })
      const values = await readTo(fetcher, at, { to, bytesMax: 50_000 })
      assert.deepEqual(values, ['committed', 'open', 'last'])
      // The last offset is a marker's: progress over it is told with nothing to read.
      fetcher.seek({ ...at, offset: to - 1 })
      const [chunk] = await fetcher.fetch(limits)
      assert.deepEqual([chunk?.bytes.length, chunk?.nextOffset, chunk?.end], [0, to, to])
    })
    await withFetcher(
      session,
      async (fetcher) => {
        fetcher.add([{ ...at, offset: 0 }])
        const values = await readTo(fetcher, at, { to: 2_007 })
        assert.equal(values.length, 2_003)
      },
      { isolation: 'read-uncommitted' }
    )
  } finally {
    await one.close()
    await two.close()
  }
})

test('a batch larger than the bytes of a partition is read, and others beside it', {
  timeout
}, async () => {
  const topic = await session.topic('large', 3)
  const large = 'x'.repeat(300_000)
  for (const partition of [0, 1, 2]) {
    const values = [large, 'small', large]
    await write(session, { topic, partition }, { values })
  }
  const run = async (fetcher: Fetcher): Promise<void> => {
    fetcher.add([0, 1, 2].map((partition) => ({ topic, partition, offset: 0 })))
    const positions = [0, 0, 0]
    while (positions.some((position) => position < 3)) {
      for (const chunk of await fetcher.fetch({ ...limits, bytesMax: 10_000 })) {
        const position = positions[chunk.partition] ?? 0
        const sizes = valuesOf(chunk, position).map((value) => value.length)
        assert.deepEqual(sizes, [300_000, 5, 300_000].slice(position, chunk.nextOffset))
        positions[chunk.partition] = chunk.nextOffset
      }
    }
  }
  await withFetcher(session, run, { partitionBytesMax: 1_000 })
})

test('a topic that is deleted is said to be, once brokers had time to learn of it', {
  timeout
}, async () => {
  const at = { topic: await session.topic('deleted'), partition: 0 }
  await withFetcher(session, async (fetcher) => {
    fetcher.add([{ ...at, offset: 0 }])
    await settle(fetcher, 1)
    await session.admin.delete([at.topic])
    const reading = async (): Promise<never> => {
      for (;;) assert.deepEqual(await fetcher.fetch(limits), [])
    }
    await assert.rejects(reading(), (error) => {
      assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'), String(error))
      assert.match(error.message, new RegExp(at.topic))
      return true
    })
  })
})

test('no more is read ahead than was asked for, also of partitions that are paused', {
  timeout
}, async () => {
  const partitions = 8
  const topic = await session.topic('ahead', partitions)
  const value = 'x'.repeat(10_000)
  for (let partition = 0; partition < partitions; partition++) {
    const values = Array.from({ length: 400 }, () => value)
    await write(session, { topic, partition }, { values, batch: 50 })
  }
  const bytesMax = 1_000_000
  await withFetcher(session, async (fetcher) => {
    fetcher.add(
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
    )
    const before = await heldBytes()
    const paused = new Set<number>()
    // Each is paused as soon as something of it came, while the next answer is on its way.
    while (paused.size < partitions) {
      for (const { partition } of await fetcher.fetch({ bytesMax, waitMaxMs: 500 })) {
        fetcher.pause({ topic, partition })
        paused.add(partition)
      }
    }
    assert.deepEqual(await fetcher.fetch({ bytesMax, waitMaxMs: 300 }), [])
    const held = (await heldBytes()) - before
    // What is kept for the paused ones, the rooms of two answers for the next, buffers of sockets.
    assert.ok(held < 4 * bytesMax, `${held} bytes are held`)
    for (let partition = 0; partition < partitions; partition++)
      fetcher.resume({ topic, partition })
    const read = await readTo(fetcher, { topic, partition: 0 }, { from: 0, to: 400 })
    assert.ok(read.every((one) => one === value))
  })
})

/** Bytes of Buffers that are alive. */
async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) {
    collect()
    await realClock.turn()
  }
  return process.memoryUsage().arrayBuffers
}
