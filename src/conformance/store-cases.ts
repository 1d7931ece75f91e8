// Conformance of stores: every sentence of the store port, as cases that any store must pass.

import assert from 'node:assert/strict'
import type { Checkpoint, ShardId } from '../port/store.ts'
import type { StoreScene } from './store-scene.ts'
import { bytesOf, failsWith, keyOf, put, rowsOf, textOf } from './store-scene.ts'
import type { Case } from './suite.ts'

const shard: ShardId = { table: 'counts', partition: 3 }
const other: ShardId = { table: 'counts', partition: 4 }
const checkpoint: Checkpoint = { topicId: 'topic', offset: 42, leaderEpoch: 5 }

export const storeCases: readonly Case<StoreScene>[] = [
  {
    title: 'a batch is seen when its write has resolved, and not before',
    async run({ store }) {
      await put(store, shard, { k: 'old' })
      const batch = store.batch()
      batch.put(shard, bytesOf('k'), bytesOf('new'))
      batch.checkpoint(shard, checkpoint)
      assert.equal(textOf(store.get(shard, bytesOf('k'))), 'old')
      const writing = batch.write()
      assert.equal(textOf(store.get(shard, bytesOf('k'))), 'old')
      assert.equal(store.checkpoint(shard), undefined)
      await writing
      assert.equal(textOf(store.get(shard, bytesOf('k'))), 'new')
      assert.deepEqual(store.checkpoint(shard), checkpoint)
    }
  },
  {
    title: 'a batch holds several shards, and its later change of a key wins',
    async run({ store }) {
      const batch = store.batch()
      batch.put(shard, bytesOf('k'), bytesOf('1'))
      batch.put(shard, bytesOf('k'), bytesOf('2'))
      batch.put(shard, bytesOf('gone'), bytesOf('1'))
      batch.delete(shard, bytesOf('gone'))
      batch.delete(other, bytesOf('back'))
      batch.put(other, bytesOf('back'), bytesOf('3'))
      await batch.write()
      assert.deepEqual(await rowsOf(store, shard), { k: '2' })
      assert.deepEqual(await rowsOf(store, other), { back: '3' })
    }
  },
  {
    title: 'a batch is used once, and an empty one writes nothing',
    async run({ store }) {
      const batch = store.batch()
      await batch.write()
      assert.deepEqual(await store.shards(), [])
      await assert.rejects(async () => batch.write())
      assert.throws(() => batch.put(shard, bytesOf('k'), bytesOf('v')))
    }
  },
  {
    title: 'batches take hold in the order in which they were written, awaited or not',
    async run({ store }) {
      const writes = Array.from({ length: 30 }, async (_, index) => {
        await put(store, shard, { k: `${index}` })
        // Later ones may have taken hold by now, earlier ones must have.
        return Number(textOf(store.get(shard, bytesOf('k')))) - index
      })
      const ahead = await Promise.all(writes)
      assert.ok(
        ahead.every((steps) => steps >= 0),
        `seen too early: ${ahead.join(', ')}`
      )
      assert.deepEqual(await rowsOf(store, shard), { k: '29' })
    }
  },
  {
    title: 'bytes given to a batch are copied at once',
    async run({ store }) {
      const [key, value] = [bytesOf('key'), bytesOf('value')]
      const batch = store.batch()
      batch.put(shard, key, value)
      for (const bytes of [key, value]) bytes.fill(0)
      await batch.write()
      assert.deepEqual(await rowsOf(store, shard), { key: 'value' })
    }
  },
  {
    title: 'a deleted key is gone, and deleting what is not there is no error',
    async run({ store }) {
      await put(store, shard, { a: '1', b: '2' })
      const batch = store.batch()
      batch.delete(shard, bytesOf('a'))
      batch.delete(shard, bytesOf('never'))
      await batch.write()
      assert.equal(store.get(shard, bytesOf('a')), undefined)
      assert.deepEqual(await rowsOf(store, shard), { b: '2' })
    }
  },
  {
    title: 'empty keys and empty values are keys and values',
    async run({ store }) {
      await put(store, shard, { '': 'of the empty key', k: '' })
      assert.equal(textOf(store.get(shard, bytesOf(''))), 'of the empty key')
      assert.equal(store.get(shard, bytesOf('k'))?.length, 0)
      assert.equal(store.get(shard, bytesOf('j')), undefined)
    }
  },
  {
    title: 'a scan is in unsigned byte order, whatever the bytes',
    async run({ store }) {
      const keys = [[0], [0, 0], [0, 255], [1], [127], [128], [255], [255, 0], [255, 255, 255]]
      const batch = store.batch()
      for (const key of keys.toReversed()) {
        batch.put(shard, Uint8Array.from(key), Uint8Array.from(key))
      }
      await batch.write()
      const rows = await store.scan(shard, { limit: 100 })
      assert.deepEqual(
        rows.map(({ key, value }) => [[...key], [...value]]),
        keys.map((key) => [key, key])
      )
    }
  },
  {
    title: 'a scan takes its lower bound in, leaves its upper bound out, and keeps its limit',
    async run({ store }) {
      await put(store, shard, { a: '', b: '', c: '', d: '' })
      const scan = async (from?: string, to?: string, limit = 100): Promise<string> => {
        const bounds = {
          ...(from === undefined ? {} : { from: bytesOf(from) }),
          ...(to === undefined ? {} : { to: bytesOf(to) })
        }
        const rows = await store.scan(shard, { ...bounds, limit })
        return rows.map(({ key }) => textOf(key)).join('')
      }
      assert.equal(await scan(), 'abcd')
      assert.equal(await scan('b'), 'bcd')
      assert.equal(await scan(undefined, 'c'), 'ab')
      assert.equal(await scan('b', 'd'), 'bc')
      assert.equal(await scan('bb', 'bz'), '')
      assert.equal(await scan('c', 'a'), '')
      assert.equal(await scan('a', undefined, 2), 'ab')
      assert.equal(await scan('a', 'd', 0), '')
    }
  },
  {
    title: 'pages of a scan put together are the whole, each row once',
    async run({ store }) {
      const rows = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [keyOf(i), `${i}`]))
      await put(store, shard, rows)
      const seen: Record<string, string> = {}
      let from = bytesOf('')
      for (;;) {
        const page = await store.scan(shard, { from, limit: 77 })
        for (const { key, value } of page) seen[textOf(key) ?? ''] = textOf(value) ?? ''
        const last = page.at(-1)
        if (last === undefined) break
        // The next key in byte order: the last one with a zero behind it.
        from = Buffer.concat([last.key, Buffer.alloc(1)])
      }
      assert.deepEqual(seen, rows)
    }
  },
  {
    title: 'shards are apart, however alike their names are',
    async run({ store }) {
      const shards = ['a', 'ab', 'a\u0000', 'A', 'ä'].flatMap((table) =>
        [0, 1, 256].map((partition) => ({ table, partition }))
      )
      for (const [index, one] of shards.entries()) {
        await put(store, one, { k: `${index}` })
      }
      for (const [index, one] of shards.entries()) {
        assert.deepEqual(await rowsOf(store, one), { k: `${index}` })
      }
      const found = await store.shards()
      const names = (all: readonly ShardId[]): string[] =>
        all.map(({ table, partition }) => `${table}/${partition}`).sort((a, b) => (a < b ? -1 : 1))
      assert.deepEqual(names(found), names(shards))
    }
  },
  {
    title: 'a checkpoint belongs to one shard, and a later one replaces it',
    async run({ store }) {
      for (const offset of [1, 2 ** 40]) {
        const batch = store.batch()
        batch.checkpoint(shard, { ...checkpoint, offset })
        await batch.write()
        assert.deepEqual(store.checkpoint(shard), { ...checkpoint, offset })
      }
      assert.equal(store.checkpoint(other), undefined)
      assert.deepEqual(await store.shards(), [shard], 'a checkpoint alone makes a shard known')
    }
  },
  {
    title: 'wipe removes rows and checkpoint of one shard',
    async run({ store }) {
      for (const one of [shard, other]) await put(store, one, { k: 'v' }, checkpoint)
      await store.wipe(shard)
      assert.deepEqual(await rowsOf(store, shard), {})
      assert.equal(store.checkpoint(shard), undefined)
      assert.deepEqual(await store.shards(), [other])
      assert.deepEqual(await rowsOf(store, other), { k: 'v' })
      assert.deepEqual(store.checkpoint(other), checkpoint)
      await put(store, shard, { again: 'v' })
      assert.deepEqual(await rowsOf(store, shard), { again: 'v' })
    }
  },
  {
    title: 'while it wipes, no row is missing under a checkpoint',
    async run({ store, turn }) {
      const keys = Array.from({ length: 2_000 }, (_, i) => keyOf(i))
      const rows = Object.fromEntries(keys.map((key) => [key, 'x'.repeat(100)]))
      await put(store, shard, rows, checkpoint)
      let isWiped = false
      const wiping = store.wipe(shard).then(() => {
        isWiped = true
      })
      do {
        if (store.checkpoint(shard) !== undefined) {
          for (const key of [keys[0], keys[1_000], keys.at(-1)]) {
            assert.notEqual(store.get(shard, bytesOf(key ?? '')), undefined)
          }
        }
        await turn()
      } while (!isWiped)
      await wiping
      assert.deepEqual(await store.shards(), [])
    }
  },
  {
    title: 'clear removes a range of any size and nothing else',
    async run({ store }) {
      const keys = Array.from({ length: 5_000 }, (_, i) => keyOf(i))
      for (const one of [shard, other]) {
        await put(store, one, Object.fromEntries(keys.map((key) => [key, 'v'])), checkpoint)
      }
      await store.clear(shard, { from: bytesOf(keyOf(1)), to: bytesOf(keyOf(4_999)) })
      assert.deepEqual(await rowsOf(store, shard), { [keyOf(0)]: 'v', [keyOf(4_999)]: 'v' })
      assert.deepEqual(store.checkpoint(shard), checkpoint)
      assert.equal(Object.keys(await rowsOf(store, other)).length, 5_000)
    }
  },
  {
    title: 'its size is a number that grows with what is in it',
    async run({ store }) {
      const before = await store.sizeBytes()
      assert.ok(before >= 0)
      const rows = Array.from({ length: 1_000 }, (_, i) => [keyOf(i), `${i}`.repeat(300)])
      await put(store, shard, Object.fromEntries(rows))
      assert.ok((await store.sizeBytes()) > before)
    }
  },
  {
    title: 'a closed store refuses',
    async run({ store }) {
      await store.close()
      assert.throws(() => store.get(shard, bytesOf('k')))
      await assert.rejects(async () => put(store, shard, { k: 'v' }))
    }
  },
  {
    title: 'what was written is there after a reopen, with its checkpoint',
    async run({ store, make }) {
      await put(store, shard, { k: 'v', gone: 'v' }, checkpoint)
      const batch = store.batch()
      batch.delete(shard, bytesOf('gone'))
      await batch.write()
      await store.wipe(other)
      await store.close()
      const again = make()
      await again.open({ app: 'app' })
      assert.deepEqual(await rowsOf(again, shard), { k: 'v' })
      assert.deepEqual(again.checkpoint(shard), checkpoint)
      assert.deepEqual(await again.shards(), [shard])
      await again.close()
    }
  },
  {
    title: 'a store that is open is refused to another until it is closed',
    async run({ store, make }) {
      await failsWith(make().open({ app: 'app' }), 'TAILRACE_STATE_LOCKED')
      await put(store, shard, { k: 'v' })
      await store.close()
      const next = make()
      await next.open({ app: 'app' })
      assert.deepEqual(await rowsOf(next, shard), { k: 'v' })
      await next.close()
    }
  },
  {
    title: 'the store of another app is refused, and stays whole for its own',
    async run({ store, make }) {
      await put(store, shard, { k: 'v' }, checkpoint)
      await store.close()
      await failsWith(make().open({ app: 'stranger' }), 'TAILRACE_STATE_FOREIGN')
      const own = make()
      await own.open({ app: 'app' })
      assert.deepEqual(await rowsOf(own, shard), { k: 'v' })
      await own.close()
    }
  }
]
