// Unit tests of level-keys.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShardId } from '../port/store.ts'
import { ShardKeys, checkpointSpace, metaKey, rowSpace, shardOf } from './level-keys.ts'

const shards: readonly ShardId[] = [
  { table: '', partition: 0 },
  { table: 'a', partition: 0 },
  { table: 'a', partition: 0xffffffff },
  { table: 'a\u0000\u0000\u0000\u0000', partition: 0 },
  { table: 'größe', partition: 7 },
  { table: 'x'.repeat(249), partition: 300 }
]

const isBelow = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) < 0

test('finds the shard in its keys', () => {
  for (const shard of shards) {
    const keys = new ShardKeys(shard)
    assert.deepEqual(shardOf(keys.checkpoint), shard)
    assert.deepEqual(shardOf(keys.row(Buffer.from('user'))), shard)
    assert.deepEqual(Buffer.from(keys.userKey(keys.row(Buffer.from('user')))).toString(), 'user')
  }
})

test('bytes too short for a shard are none', () => {
  const { checkpoint } = new ShardKeys({ table: 'abc', partition: 1 })
  for (let length = 0; length < checkpoint.length; length += 1) {
    assert.equal(shardOf(checkpoint.subarray(0, length)), undefined)
  }
})

test('every row lies in the range of its own shard only', () => {
  const userKeys = [Buffer.alloc(0), Buffer.from([0]), Buffer.alloc(20, 0xff)]
  for (const shard of shards) {
    for (const userKey of userKeys) {
      const row = new ShardKeys(shard).rowCopy(userKey)
      const holders = shards.filter((other) => {
        const { gte, lt } = new ShardKeys(other).rows
        return !isBelow(row, gte) && isBelow(row, lt)
      })
      assert.deepEqual(holders, [shard])
    }
  }
})

test('the three spaces do not touch', () => {
  for (const shard of shards) {
    const { checkpoint, rows } = new ShardKeys(shard)
    assert.ok(isBelow(metaKey, checkpointSpace.gte))
    assert.ok(isBelow(checkpointSpace.gte, checkpoint) && isBelow(checkpoint, checkpointSpace.lt))
    assert.ok(isBelow(rowSpace.gte, rows.gte) && !isBelow(rowSpace.lt, rows.lt))
  }
})

test('the reused key holds what was asked last, at any length', () => {
  const keys = new ShardKeys({ table: 't', partition: 2 })
  for (const length of [0, 5, 255, 256, 257, 5000, 5, 0]) {
    const userKey = Buffer.alloc(length, length % 251)
    assert.deepEqual(Buffer.from(keys.row(userKey)), Buffer.from(keys.rowCopy(userKey)))
  }
})

test('a partition that is no number of 32 bits is our bug', () => {
  for (const partition of [-1, 1.5, 2 ** 32, Number.NaN]) {
    assert.throws(() => new ShardKeys({ table: 't', partition }), {
      code: 'TAILRACE_BUG_INVARIANT'
    })
  }
})
