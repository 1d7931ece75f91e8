// Unit tests of memory.ts: what is its own; what all stores share is in model.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryStore } from './memory.ts'

const shard = { table: 'counts', partition: 0 }
const bytes = (text: string): Uint8Array => Buffer.from(text)

test('opens empty after a close', async () => {
  const store = createMemoryStore()
  await store.open({ app: 'one' })
  const batch = store.batch()
  batch.put(shard, bytes('k'), bytes('v'))
  batch.checkpoint(shard, { topicId: 't', offset: 1, leaderEpoch: 0 })
  await batch.write()
  assert.equal(await store.sizeBytes(), 2)
  await store.close()
  await store.open({ app: 'one' })
  assert.equal(store.get(shard, bytes('k')), undefined)
  assert.equal(store.checkpoint(shard), undefined)
  assert.deepEqual(await store.shards(), [])
  assert.equal(await store.sizeBytes(), 0)
})

test('keeps its own copy of a value', async () => {
  const store = createMemoryStore()
  await store.open({ app: 'one' })
  const value = Buffer.from('before')
  const batch = store.batch()
  batch.put(shard, bytes('k'), value)
  value.write('after!')
  await batch.write()
  assert.equal(Buffer.from(store.get(shard, bytes('k')) ?? []).toString(), 'before')
})

test('stays in order when keys come and go without a scan', async () => {
  const store = createMemoryStore()
  await store.open({ app: 'one' })
  for (let round = 0; round < 5000; round += 1) {
    const batch = store.batch()
    batch.put(shard, bytes(`k${round % 7}`), bytes('v'))
    batch.delete(shard, bytes(`k${(round + 3) % 7}`))
    await batch.write()
  }
  const rows = await store.scan(shard, { limit: 100 })
  const keys = rows.map(({ key }) => Buffer.from(key).toString())
  assert.deepEqual(keys, ['k0', 'k1', 'k5', 'k6'])
})

test('refuses use while it is not open', async () => {
  const store = createMemoryStore()
  const refusal = { code: 'TAILRACE_BUG_INVARIANT' }
  assert.throws(() => store.get(shard, bytes('k')), refusal)
  assert.throws(() => store.batch(), refusal)
  await store.open({ app: 'one' })
  await assert.rejects(store.open({ app: 'one' }), refusal)
})
