// Conformance of reading: positions, waiting and limits.

import assert from 'node:assert/strict'
import { batchHeader } from '../core/record-batch.ts'
import type { Case } from './suite.ts'
import type { TransportScene } from './transport-scene.ts'
import { fetchLimits, nextChunk, record, recordsOf, rejectsWith } from './transport-scene.ts'

export const fetchCases: readonly Case<TransportScene>[] = [
  {
    title: 'reads from any position, in whole batches that may begin below it',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, ...'abcdefghij'.split(''))
      for (const offset of [0, 1, 5, 9]) {
        const values = (await scene.read(at, offset)).map(({ value }) => value)
        assert.equal(values.join(''), 'abcdefghij'.slice(offset))
      }
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 5 }])
      const chunk = await nextChunk(fetcher, at)
      assert.ok(batchHeader(chunk.bytes, 0).baseOffset <= 5)
      assert.equal(chunk.end, 10)
    }
  },
  {
    title: 'goes on where the last chunk ended',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      await scene.send(at, 'a', 'b')
      let position = 0
      const values: unknown[] = []
      for (const next of ['c', 'd', 'e']) {
        const end = (await scene.range(at)).end
        while (position < end) {
          const chunk = await nextChunk(fetcher, at)
          values.push(...recordsOf(chunk, position).map(({ value }) => value))
          position = chunk.nextOffset
        }
        await scene.send(at, next)
      }
      assert.deepEqual(values, ['a', 'b', 'c', 'd'])
    }
  },
  {
    title: 'the bytes of a chunk stay until it is released, whatever is fetched after it',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const values = Array.from({ length: 40 }, (_, index) => `${index} `.repeat(10_000))
      await scene.send(at, ...values)
      const { end } = await scene.range(at)
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const kept: (readonly [now: Buffer, before: Buffer])[] = []
      let position = 0
      for (let isKept = true; position < end; isKept = !isKept) {
        for (const chunk of await fetcher.fetch({ ...fetchLimits, bytesMax: 200_000 })) {
          const found = recordsOf(chunk, position).map(({ value }) => value)
          assert.deepEqual(found, values.slice(position, chunk.nextOffset))
          position = chunk.nextOffset
          if (isKept) kept.push([chunk.bytes, Buffer.from(chunk.bytes)])
          else chunk.release?.()
        }
      }
      for (const [now, before] of kept) assert.ok(now.equals(before), 'a chunk was written over')
    }
  },
  {
    title: 'an empty partition is answered once, then waited for as long as asked',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const [chunk] = await fetcher.fetch(fetchLimits)
      assert.deepEqual([chunk?.bytes.length, chunk?.nextOffset, chunk?.end], [0, 0, 0])
      const before = scene.clock.monotonic()
      assert.deepEqual(await fetcher.fetch({ ...fetchLimits, waitMaxMs: 60 }), [])
      const waitedMs = scene.clock.monotonic() - before
      assert.ok(waitedMs >= 55, `answered after ${waitedMs} ms`)
    }
  },
  {
    title: 'a position at the end of a partition with records is answered once too',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'a', 'b')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 2 }])
      const [chunk] = await fetcher.fetch(fetchLimits)
      assert.deepEqual([chunk?.bytes.length, chunk?.nextOffset, chunk?.end], [0, 2, 2])
    }
  },
  {
    title: 'a waiting fetch is woken by what another connection writes',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const fetcher = await (await scene.connect()).fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      await fetcher.fetch(fetchLimits)
      const before = scene.clock.monotonic()
      const waiting = fetcher.fetch({ ...fetchLimits, waitMaxMs: 30_000 })
      await scene.pause(10)
      await scene.send(at, 'woken')
      const [chunk] = await waiting
      assert.ok(chunk !== undefined)
      assert.equal(recordsOf(chunk, 0)[0]?.value, 'woken')
      assert.ok(scene.clock.monotonic() - before < 5_000, 'it waited for the whole time')
    }
  },
  {
    title: 'wake and close make a waiting fetch return at once',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      await fetcher.fetch(fetchLimits)
      const wake = async (): Promise<void> => fetcher.wake()
      for (const end of [wake, () => fetcher.close()]) {
        const before = scene.clock.monotonic()
        const waiting = fetcher.fetch({ ...fetchLimits, waitMaxMs: 30_000 })
        await scene.pause(10)
        await end()
        assert.deepEqual(await waiting, [])
        assert.ok(scene.clock.monotonic() - before < 5_000)
      }
      await rejectsWith(fetcher.fetch(fetchLimits), 'TAILRACE_TRANSPORT_CLOSED')
    }
  },
  {
    title: 'a partition added or resumed while a fetch waits is served by it',
    async run(scene) {
      const topic = await scene.topic(2)
      const [one, two] = [0, 1].map((partition) => ({ topic, partition }))
      assert.ok(one !== undefined && two !== undefined)
      for (const at of [one, two]) await scene.send(at, 'v')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...one, offset: 0 }])
      fetcher.pause(one)
      const first = fetcher.fetch({ ...fetchLimits, waitMaxMs: 30_000 })
      await scene.pause(10)
      fetcher.add([{ ...two, offset: 0 }])
      assert.deepEqual(
        (await first).map(({ partition }) => partition),
        [1]
      )
      const second = fetcher.fetch({ ...fetchLimits, waitMaxMs: 30_000 })
      await scene.pause(10)
      fetcher.resume(one)
      assert.deepEqual(
        (await second).map(({ partition }) => partition),
        [0]
      )
    }
  },
  {
    title: 'a paused partition is not read, keeps its position, and holds up no other',
    async run(scene) {
      const topic = await scene.topic(2)
      const [one, two] = [0, 1].map((partition) => ({ topic, partition }))
      assert.ok(one !== undefined && two !== undefined)
      for (const at of [one, two]) await scene.send(at, 'a', 'b')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([one, two].map((at) => ({ ...at, offset: 1 })))
      fetcher.pause(one)
      const chunks = await fetcher.fetch(fetchLimits)
      assert.deepEqual(
        chunks.map(({ partition }) => partition),
        [1]
      )
      assert.deepEqual(await fetcher.fetch({ ...fetchLimits, waitMaxMs: 20 }), [])
      fetcher.resume(one)
      const chunk = await nextChunk(fetcher, one)
      assert.deepEqual(
        recordsOf(chunk, 1).map(({ value }) => value),
        ['b']
      )
    }
  },
  {
    title: 'seek moves a position, back and forth',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, ...'abcd'.split(''))
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      await nextChunk(fetcher, at)
      for (const offset of [3, 1]) {
        fetcher.seek({ ...at, offset })
        const [first] = recordsOf(await nextChunk(fetcher, at), offset)
        assert.equal(first?.value, 'abcd'[offset])
      }
    }
  },
  {
    title: 'a removed partition is read no more',
    async run(scene) {
      const topic = await scene.topic(2)
      const [one, two] = [0, 1].map((partition) => ({ topic, partition }))
      assert.ok(one !== undefined && two !== undefined)
      const fetcher = await scene.transport.fetcher()
      fetcher.add([one, two].map((at) => ({ ...at, offset: 0 })))
      fetcher.remove([one])
      for (const at of [one, two]) await scene.send(at, 'v')
      await nextChunk(fetcher, two)
      assert.deepEqual(await fetcher.fetch({ ...fetchLimits, waitMaxMs: 20 }), [])
    }
  },
  {
    title: 'small limits still deliver everything, in order and without gaps',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const values = Array.from({ length: 200 }, (_, i) => `${i}`.padEnd(100))
      await scene.sendApart(at, ...values)
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const seen: unknown[] = []
      let fetches = 0
      for (let position = 0; position < 200; fetches++) {
        for (const chunk of await fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 1_000 })) {
          seen.push(...recordsOf(chunk, position).map(({ value }) => value))
          position = chunk.nextOffset
        }
      }
      assert.deepEqual(seen, values)
      assert.ok(fetches > 1, 'the limit was not kept')
    }
  },
  {
    title: 'a batch larger than the limit is delivered all the same',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'x'.repeat(100_000))
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const [chunk] = await fetcher.fetch({ bytesMax: 10, waitMaxMs: 1_000 })
      assert.equal(chunk?.nextOffset, 1)
    }
  },
  {
    title: 'partitions together keep the limit, but for the batch that goes over it',
    async run(scene) {
      const topic = await scene.topic(4)
      const filler = Array.from({ length: 20 }, () => 'x'.repeat(500))
      const partitions = [0, 1, 2, 3].map((partition) => ({ topic, partition }))
      for (const at of partitions) await scene.sendApart(at, ...filler)
      const fetcher = await scene.transport.fetcher()
      fetcher.add(partitions.map((at) => ({ ...at, offset: 0 })))
      let records = 0
      while (records < 80) {
        const chunks = await fetcher.fetch({ bytesMax: 2_000, waitMaxMs: 1_000 })
        const size = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0)
        assert.ok(size < 3_000, `${size} bytes came at once`)
        for (const { bytes } of chunks) {
          for (let at = 0; at < bytes.length; at += batchHeader(bytes, at).sizeBytes) {
            records += batchHeader(bytes, at).recordCount
          }
        }
      }
      assert.equal(records, 80)
    }
  },
  {
    title: 'a busy partition does not starve another',
    async run(scene) {
      const topic = await scene.topic(2)
      const busy = Array.from({ length: 100 }, () => 'x'.repeat(500))
      await scene.sendApart({ topic, partition: 0 }, ...busy)
      await scene.send({ topic, partition: 1 }, 'quiet')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([0, 1].map((partition) => ({ topic, partition, offset: 0 })))
      let wasServed = false
      for (let i = 0; i < 4 && !wasServed; i++) {
        const chunks = await fetcher.fetch({ bytesMax: 1, waitMaxMs: 1_000 })
        wasServed = chunks.some(({ partition, bytes }) => partition === 1 && bytes.length > 0)
      }
      assert.ok(wasServed, 'four fetches did not reach the quiet partition')
    }
  },
  {
    title: 'lag is known from every chunk',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.sendApart(at, ...'abc'.split(''))
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      for (let position = 0; position < 3; ) {
        const [chunk] = await fetcher.fetch({ bytesMax: 1, waitMaxMs: 1_000 })
        assert.ok(chunk !== undefined && chunk.nextOffset > position)
        assert.ok(position > 0 || chunk.nextOffset < 3, 'the limit was not kept')
        assert.equal(chunk.end, 3)
        position = chunk.nextOffset
      }
    }
  },
  {
    title: 'many partitions behind are all served, in answers as large as was asked',
    async run(scene) {
      const topic = await scene.topic(50)
      const partitions = Array.from({ length: 50 }, (_, partition) => ({ topic, partition }))
      const value = 'x'.repeat(4_000)
      for (let round = 0; round < 4; round++) {
        await scene.sendAll(partitions.map((at) => record(at, { value })))
      }
      const fetcher = await scene.transport.fetcher()
      fetcher.add(partitions.map((at) => ({ ...at, offset: 0 })))
      const ends = new Map<number, number>()
      let fetches = 0
      while ([...ends.values()].reduce((sum, end) => sum + end, 0) < 200) {
        fetches++
        for (const chunk of await fetcher.fetch({ bytesMax: 100_000, waitMaxMs: 1_000 })) {
          assert.ok(chunk.nextOffset >= (ends.get(chunk.partition) ?? 0))
          ends.set(chunk.partition, chunk.nextOffset)
        }
      }
      // 800 kB: eight answers, and as many again for what does not fit at their ends.
      assert.ok(fetches <= 20, `it took ${fetches} fetches`)
    }
  }
]
