// A store, a transport and a codec of somebody else's: plugged in by options, nothing of src knows.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Codec,
  createApp,
  type ShardId,
  type Store,
  type StoreBatch,
  type Transport,
  type TransportContext
} from 'tailrace'
import { createMemoryStore } from 'tailrace/store/memory'
import { z } from 'zod'
import { createEmbeddedTransport } from '../src/transport/embedded/index.ts'

/** Keeps its rows in the memory store, and counts what it was asked to write. */
class CountingStore implements Store {
  readonly name = 'counting'
  readonly #inner = createMemoryStore()
  puts = 0
  app = ''

  async open(identity: { readonly app: string }): Promise<void> {
    this.app = identity.app
    await this.#inner.open(identity)
  }

  batch(): StoreBatch {
    const inner = this.#inner.batch()
    return {
      put: (shard, key, value) => {
        this.puts++
        inner.put(shard, key, value)
      },
      delete: (shard, key) => inner.delete(shard, key),
      checkpoint: (shard, checkpoint) => inner.checkpoint(shard, checkpoint),
      write: () => inner.write()
    }
  }

  get(shard: ShardId, key: Uint8Array): ReturnType<Store['get']> {
    return this.#inner.get(shard, key)
  }

  scan(...[shard, range]: Parameters<Store['scan']>): ReturnType<Store['scan']> {
    return this.#inner.scan(shard, range)
  }

  checkpoint(shard: ShardId): ReturnType<Store['checkpoint']> {
    return this.#inner.checkpoint(shard)
  }

  shards(): ReturnType<Store['shards']> {
    return this.#inner.shards()
  }

  wipe(shard: ShardId): Promise<void> {
    return this.#inner.wipe(shard)
  }

  clear(...[shard, range]: Parameters<Store['clear']>): Promise<void> {
    return this.#inner.clear(shard, range)
  }

  sizeBytes(): Promise<number> {
    return this.#inner.sizeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

/** The embedded log under another name and URL, without a door for the keeper's thread. */
function borrowedTransport(
  { broker, clock, synchronous }: TransportContext,
  opened: string[]
): Transport {
  const directory = broker.replace(/^borrowed:/, '')
  const inner = createEmbeddedTransport({ directory, clock, synchronous })
  return {
    name: 'borrowed',
    url: broker,
    features: inner.features,
    door: undefined,
    open: () => {
      opened.push(broker)
      return inner.open()
    },
    admin: () => inner.admin(),
    producer: () => inner.producer(),
    transactionalProducer: (id) => inner.transactionalProducer(id),
    fetcher: () => inner.fetcher(),
    coordinator: () => inner.coordinator(),
    close: () => inner.close()
  }
}

/** JSON with every byte turned round: nobody else can read it. */
const inverted: Codec = {
  name: 'inverted',
  encode: (value) => Buffer.from(JSON.stringify(value)).map((byte) => byte ^ 0xff),
  decode: (bytes) => JSON.parse(Buffer.from(bytes.map((byte) => byte ^ 0xff)).toString())
}

test('a store, a transport and a codec from outside run an app', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-plug-in-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const store = new CountingStore()
  const opened: string[] = []
  const broker = `borrowed:${join(directory, 'log')}`
  const app = createApp({
    id: 'plugged',
    broker,
    datadir: join(directory, 'data'),
    store: () => store,
    transport: (context) => borrowedTransport(context, opened),
    codec: inverted,
    web: false,
    commitInterval: 10
  })
  const words = app.topic('words', { key: z.string(), value: z.string(), partitions: 2 })
  const counts = app.table('counts', { key: z.string(), value: z.int(), initial: () => 0 })
  app.each('count', { source: words, tables: { counts } }, ({ key }, parts) => {
    parts.counts.update(key, (count) => count + 1)
  })

  const worker = await app.start()
  t.after(() => worker.stop())
  for (const key of ['a', 'b', 'a']) await words.send({ key, value: 'word' })
  while (worker.status().counters.finished < 3 || store.puts < 2) await sleep(5)

  assert.equal((await counts.query('a')).value, 2)
  assert.equal((await counts.query('b')).value, 1)
  assert.equal(store.app, 'plugged')
  assert.ok(opened.every((url) => url === broker) && opened.length > 0)
})
