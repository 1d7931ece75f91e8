// Conformance of reading where the log has no such position: what is said, and what goes on.

import assert from 'node:assert/strict'
import type { Case } from './suite.ts'
import type { TransportScene } from './transport-scene.ts'
import { fetchLimits, nextChunk, record, recordsOf } from './transport-scene.ts'

export const fetchRangeCases: readonly Case<TransportScene>[] = [
  {
    title: 'a position below the log or beyond it is said to be out of range, without progress',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, ...'abcd'.split(''))
      await scene.transport.admin().deleteRecords(at, 2)
      for (const position of [0, 5]) {
        const fetcher = await scene.transport.fetcher()
        fetcher.add([{ ...at, offset: position }])
        const chunk = await nextChunk(fetcher, at)
        assert.deepEqual(chunk.outOfRange, { position, start: 2, end: 4 })
        assert.deepEqual([chunk.bytes.length, chunk.nextOffset], [0, position])
        // Said once: a reader that waits for somebody's decision must not spin.
        assert.deepEqual(await fetcher.fetch({ ...fetchLimits, waitMaxMs: 20 }), [])
        fetcher.seek({ ...at, offset: position })
        assert.equal((await nextChunk(fetcher, at)).outOfRange?.position, position)
        fetcher.seek({ ...at, offset: 2 })
        const found = recordsOf(await nextChunk(fetcher, at), 2)
        assert.equal(found[0]?.value, 'c')
        await fetcher.close()
      }
    }
  },
  {
    title: 'a position beyond the log stays out of range when the log grows over it',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'a')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 2 }])
      assert.equal((await nextChunk(fetcher, at)).outOfRange?.position, 2)
      await scene.send(at, ...'bcd'.split(''))
      // What would come now are not the records that the position was taken from.
      assert.deepEqual(await fetcher.fetch({ ...fetchLimits, waitMaxMs: 20 }), [])
      fetcher.seek({ ...at, offset: 0 })
      const chunk = await nextChunk(fetcher, at)
      assert.equal(recordsOf(chunk, 0)[0]?.value, 'a')
    }
  },
  {
    title: 'a reader that retention overtakes is told, and skips nothing by itself',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const filler = 'x'.repeat(1_000)
      await scene.sendApart(at, ...Array.from({ length: 20 }, () => filler))
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const first = (await fetcher.fetch({ bytesMax: 1, waitMaxMs: 1_000 }))[0]
      assert.ok(first !== undefined && first.nextOffset < 20)
      await scene.transport.admin().deleteRecords(at, 20)
      let position = first.nextOffset
      let chunk = await nextChunk(fetcher, at)
      // What was read ahead is still handed out.
      for (; chunk.outOfRange === undefined; chunk = await nextChunk(fetcher, at)) {
        assert.equal(recordsOf(chunk, position)[0]?.offset, position)
        position = chunk.nextOffset
      }
      assert.ok(position < 20, 'everything was read ahead')
      assert.deepEqual(chunk.outOfRange, { position, start: 20, end: 20 })
    }
  },
  {
    title: 'a topic made again under a reader is out of range until it seeks',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'a', 'b')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      assert.equal((await nextChunk(fetcher, at)).nextOffset, 2)
      const admin = scene.transport.admin()
      const before = await admin.describe([at.topic])
      await admin.delete([at.topic])
      await admin.create(before)
      const fresh = await scene.transport.producer()
      for (const value of ['c', 'd', 'e']) await fresh.send(record(at, { value }))
      const chunk = await nextChunk(fetcher, at)
      assert.deepEqual([chunk.outOfRange?.position, chunk.nextOffset], [2, 2])
      assert.deepEqual(await fetcher.fetch({ ...fetchLimits, waitMaxMs: 20 }), [])
      fetcher.seek({ ...at, offset: 0 })
      const [first] = recordsOf(await nextChunk(fetcher, at), 0)
      assert.equal(first?.value, 'c')
    }
  }
]
