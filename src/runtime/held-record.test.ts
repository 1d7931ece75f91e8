// A record that is let go keeps nothing of the chunk it came in.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchCursor } from '../core/batch-cursor.ts'
import type { FetchedChunk } from '../port/transport.ts'
import { ChunkHolds, HeldRecord } from './held-record.ts'

test('a record that is let go refers to no fetched bytes, and frees its chunk once', () => {
  const freed: FetchedChunk[] = []
  const holds = new ChunkHolds((chunk) => freed.push(chunk))
  const at = { topic: 'in', partition: 0 }
  const chunk = { ...at, bytes: Buffer.alloc(1_000), nextOffset: 10, end: 10, leaderEpoch: 3 }
  const records = [7, 8].map((offset) => {
    const cursor = new BatchCursor()
    cursor.reset(chunk.bytes, 0)
    cursor.offset = offset
    cursor.timestamp = 5
    return new HeldRecord(at, { cursor, chunk, holds })
  })
  holds.walked(chunk)
  const [first, second] = records
  first?.letGo()
  first?.letGo()
  assert.deepEqual(freed, [], 'the second is not done')
  assert.equal(first?.cursor.bytes.length, 0)
  assert.equal(second?.cursor.bytes, chunk.bytes)
  assert.deepEqual([first.cursor.offset, first.cursor.timestamp, first.leaderEpoch], [7, 5, 3])
  second.letGo()
  assert.deepEqual(freed, [chunk])
})
