// Both stores against a model that is plainly right: random writes, then every way of reading.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ShardId, Store } from '../port/store.ts'
import { createLevelStore } from './level.ts'
import { createMemoryStore } from './memory.ts'

// Names and partitions chosen so that a careless key layout would let one shard reach into another.
const shards: readonly ShardId[] = [
  { table: 'a', partition: 0 },
  { table: 'a', partition: 255 },
  { table: 'a', partition: 256 },
  { table: 'a\u0000', partition: 0 },
  { table: 'ab', partition: 0xffffffff },
  { table: 'b', partition: 0 }
]

for (const seed of [1, 2, 3]) {
  test(`memory equals the model, seed ${seed}`, async () => {
    await compare(createMemoryStore(), seed)
  })

  test(`level equals the model, seed ${seed}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'tailrace-model-'))
    t.after(() => rm(directory, { recursive: true }))
    await compare(createLevelStore({ directory }), seed)
  })
}

async function compare(store: Store, seed: number): Promise<void> {
  const random = generator(seed)
  const model = shards.map(() => new Map<string, string>())
  await store.open({ app: 'model' })
  for (let round = 0; round < 60; round += 1) {
    const dice = random()
    if (dice < 0.05) await wipe(store, model, random)
    else if (dice < 0.15) await clear(store, model, random)
    else await write(store, model, random)
    if (round % 3 === 0) await readAll(store, model, random)
  }
  await readAll(store, model, random)
  await store.close()
}

type Model = readonly Map<string, string>[]
type Random = () => number

async function write(store: Store, model: Model, random: Random): Promise<void> {
  const batch = store.batch()
  for (let change = 0; change < 100; change += 1) {
    const { shard, rows } = pick(model, random)
    const key = randomKey(random)
    if (random() < 0.3) {
      batch.delete(shard, key)
      rows.delete(hex(key))
    } else {
      const value = randomKey(random)
      batch.put(shard, key, value)
      rows.set(hex(key), hex(value))
    }
  }
  await batch.write()
}

async function wipe(store: Store, model: Model, random: Random): Promise<void> {
  const { shard, rows } = pick(model, random)
  await store.wipe(shard)
  rows.clear()
}

async function clear(store: Store, model: Model, random: Random): Promise<void> {
  const { shard, rows } = pick(model, random)
  const [from, to] = [randomKey(random), randomKey(random)]
  await store.clear(shard, { from, to })
  for (const key of rows.keys()) if (key >= hex(from) && key < hex(to)) rows.delete(key)
}

async function readAll(store: Store, model: Model, random: Random): Promise<void> {
  const filled: ShardId[] = []
  for (const [index, shard] of shards.entries()) {
    const rows = model[index] ?? new Map<string, string>()
    if (rows.size > 0) filled.push(shard)
    const sorted = [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(await scan(store, shard, { limit: Infinity }), sorted)
    const [from, to] = [randomKey(random), randomKey(random)]
    const limit = Math.floor(random() * 10)
    const within = sorted.filter(([key]) => key >= hex(from) && key < hex(to)).slice(0, limit)
    assert.deepEqual(await scan(store, shard, { from, to, limit }), within)
    for (const [key, value] of rows) {
      const found = store.get(shard, Buffer.from(key, 'hex'))
      assert.equal(found === undefined ? undefined : hex(found), value)
    }
    assert.equal(store.get(shard, Buffer.from('never written')), undefined)
  }
  assert.deepEqual(sortShards(await store.shards()), sortShards(filled))
}

async function scan(
  store: Store,
  shard: ShardId,
  range: Parameters<Store['scan']>[1]
): Promise<[string, string][]> {
  const rows = await store.scan(shard, range)
  return rows.map(({ key, value }) => [hex(key), hex(value)])
}

function pick(model: Model, random: Random): { shard: ShardId; rows: Map<string, string> } {
  const index = Math.floor(random() * shards.length)
  const [shard, rows] = [shards[index], model[index]]
  assert.ok(shard !== undefined && rows !== undefined)
  return { shard, rows }
}

/** Few bytes with the extremes among them, so that keys meet again and bounds are hit. */
function randomKey(random: Random): Uint8Array {
  const length = Math.floor(random() * 4)
  return Uint8Array.from(
    { length },
    () => [0, 1, 127, 128, 254, 255][Math.floor(random() * 6)] ?? 0
  )
}

function sortShards(list: readonly ShardId[]): string[] {
  return list.map(({ table, partition }) => JSON.stringify([table, partition])).toSorted()
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function generator(seed: number): Random {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return ((state >>> 8) & 0xffff) / 0x10000
  }
}
