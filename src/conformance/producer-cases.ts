// Conformance of single sends: what is written is what is read, in order.

import assert from 'node:assert/strict'
import type { Case } from './suite.ts'
import type { TransportScene } from './transport-scene.ts'
import { record, rejectsWith } from './transport-scene.ts'

export const producerCases: readonly Case<TransportScene>[] = [
  {
    title: 'key, value, headers and timestamp are read as they were sent',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const headers = [
        { key: 'trace', value: Buffer.from([0, 255]) },
        { key: 'empty', value: Buffer.alloc(0) },
        { key: 'none', value: null }
      ]
      const parts = { key: 'k', value: 'v', timestamp: 1_699_999_999_999, headers }
      const [sent] = await scene.sendAll([record(at, parts)])
      assert.deepEqual(sent, { ...at, offset: 0, timestamp: parts.timestamp })
      const [found] = await scene.read(at)
      assert.deepEqual(found, { ...parts, offset: 0, headers })
    }
  },
  {
    title: 'null and empty keys and values stay apart',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const pairs = [null, '', 'x'].flatMap((key) =>
        [null, '', 'y'].map((value) => ({ key, value }))
      )
      await scene.sendAll(pairs.map((parts) => record(at, parts)))
      const found = (await scene.read(at)).map(({ key, value }) => ({ key, value }))
      assert.deepEqual(found, pairs)
    }
  },
  {
    title: 'records of one partition keep their order without being awaited',
    async run(scene) {
      const topic = await scene.topic(2)
      const producer = await scene.transport.producer()
      const sends = Array.from({ length: 500 }, (_, i) =>
        producer.send(record({ topic, partition: i % 2 }, { value: `${i}` }))
      )
      const offsets = (await Promise.all(sends)).map(({ offset }) => offset)
      assert.deepEqual(
        offsets,
        offsets.map((_, i) => Math.floor(i / 2))
      )
      const values = (await scene.values({ topic, partition: 1 })).map(Number)
      assert.deepEqual(
        values,
        values.map((_, i) => i * 2 + 1)
      )
    }
  },
  {
    title: 'partitions count their offsets apart',
    async run(scene) {
      const topic = await scene.topic(3)
      await scene.send({ topic, partition: 0 }, 'a', 'b')
      const [first] = await scene.send({ topic, partition: 2 }, 'c')
      assert.equal(first?.offset, 0)
      assert.deepEqual(await scene.values({ topic, partition: 1 }), [])
    }
  },
  {
    title: 'a log that stamps records ignores the sender’s timestamp',
    async run(scene) {
      const at = { topic: await scene.topic(1, { timestampType: 'append' }), partition: 0 }
      const before = scene.clock.now()
      const [sent] = await scene.sendAll([record(at, { value: 'v', timestamp: 5 })])
      const [found] = await scene.read(at)
      assert.equal(found?.timestamp, sent?.timestamp)
      assert.ok((sent?.timestamp ?? 0) >= before, 'stamped before it was sent')
    }
  },
  {
    title: 'a record of a mebibyte goes through, and so does an empty one beside it',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const large = 'x'.repeat(1024 * 1024)
      await scene.send(at, large, '', large)
      assert.deepEqual(
        (await scene.values(at)).map((value) => value?.length),
        [large.length, 0, large.length]
      )
    }
  },
  {
    title: 'bytes stay as they were, whatever they are',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      await scene.sendAll([{ ...record(at, {}), key: value, value }])
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const [chunk] = await fetcher.fetch({ bytesMax: 1_000_000, waitMaxMs: 1_000 })
      assert.ok(chunk?.bytes.includes(value))
    }
  },
  {
    title: 'a send to a topic or partition that does not exist is refused, and nothing is written',
    async run(scene) {
      const topic = await scene.topic(1)
      const code = 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'
      await rejectsWith(scene.send({ topic: 'nowhere', partition: 0 }, 'v'), code, true)
      await rejectsWith(scene.send({ topic, partition: 1 }, 'v'), code, true)
      assert.equal((await scene.range({ topic, partition: 0 })).end, 0)
    }
  },
  {
    title: 'flush resolves when every send is settled, failed ones too',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.producer()
      let settled = 0
      const count = (): void => {
        settled++
      }
      for (let i = 0; i < 50; i++) void producer.send(record(at, { value: `${i}` })).then(count)
      const refused = producer.send(record({ topic: 'nowhere', partition: 0 }, { value: 'v' }))
      void refused.catch(count)
      await producer.flush()
      await scene.clock.turn()
      assert.equal(settled, 51)
      assert.equal((await scene.range(at)).end, 50)
    }
  },
  {
    title: 'flush does not wait for what is sent after it',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.producer()
      let isFlushed = false
      const until = scene.clock.monotonic() + 5_000
      const isLate = (): boolean => scene.clock.monotonic() >= until
      const sends: Promise<unknown>[] = []
      const sendOn = async (): Promise<void> => {
        // At every moment something is on its way.
        while (!isFlushed && !isLate()) {
          sends.push(producer.send(record(at, { value: 'v' })))
          await scene.clock.turn()
        }
      }
      const sending = sendOn()
      await scene.clock.turn()
      await producer.flush()
      isFlushed = true
      await sending
      assert.ok(!isLate(), 'it waited until nothing was sent')
      await Promise.all(sends)
    }
  },
  {
    title: 'a closed producer refuses',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.producer()
      await producer.close()
      await rejectsWith(
        producer.send(record(at, { value: 'v' })),
        'TAILRACE_TRANSPORT_CLOSED',
        true
      )
    }
  }
]
