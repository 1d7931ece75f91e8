// Fetched records on their way to a task, when the log goes on elsewhere than they ended.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchEncoder } from '../core/record-batch.ts'
import type { FetchedChunk } from '../port/transport.ts'
import type { HeldRecord } from './held-record.ts'
import { PartitionQueue } from './partition-queue.ts'

const at = { topic: 'in', partition: 0 }

function chunk(offset: number, count: number): FetchedChunk {
  const encoder = new BatchEncoder()
  for (let n = 0; n < count; n++) encoder.append(null, Buffer.from('a'), 0, [])
  const bytes = encoder.finish()
  bytes.writeBigInt64BE(BigInt(offset), 0)
  return { ...at, bytes, nextOffset: offset + count, end: 100 }
}

function offsetsOf(queue: PartitionQueue): number[] {
  const offsets: number[] = []
  while (queue.peek()) {
    offsets.push(queue.cursor.offset)
    queue.advance()
  }
  return offsets
}

for (const [name, to, after] of [
  ['back, in a log that was made anew', 0, [0, 1]],
  ['forward, over a gap', 20, [20, 21]]
] as const) {
  test(`a jump ${name}: what was fetched before is handed out first`, () => {
    const queue = new PartitionQueue(at, 5)
    queue.push(chunk(5, 3))
    queue.jumpTo(to)
    assert.equal(queue.position, 5)
    queue.push(chunk(to, 2))
    assert.deepEqual(offsetsOf(queue), [5, 6, 7, ...after])
    assert.equal(queue.position, to + 2)
  })

  test(`a jump ${name}, of a queue that is empty`, () => {
    const queue = new PartitionQueue(at, 5)
    queue.jumpTo(to)
    assert.deepEqual([queue.position, queue.fetchPosition], [to, to])
    queue.push(chunk(to, 2))
    assert.deepEqual(offsetsOf(queue), [...after])
  })
}

test('a jump takes place once what was fetched before is finished', () => {
  const queue = new PartitionQueue(at, 5)
  queue.push(chunk(5, 1))
  assert.equal(queue.peek(), true)
  queue.jumpTo(0)
  queue.advance()
  assert.equal(queue.position, 6)
  assert.equal(queue.peek(), false)
  assert.equal(queue.position, 0)
})

test('a position has the leader epoch of its chunk, and the next fetch that of the last', () => {
  const queue = new PartitionQueue(at, 0)
  queue.beginAt(5, 1)
  assert.deepEqual([queue.leaderEpoch, queue.fetchEpoch], [1, 1])
  queue.push({ ...chunk(5, 2), leaderEpoch: 2 })
  queue.push({ ...chunk(7, 1), leaderEpoch: 3 })
  assert.deepEqual([queue.leaderEpoch, queue.fetchEpoch], [1, 3], 'nothing was handed out')
  const epochs: unknown[] = []
  while (queue.peek()) {
    queue.advance()
    epochs.push(queue.leaderEpoch)
  }
  assert.deepEqual(epochs, [2, 2, 3])
  // Markers, which nobody is given.
  queue.push({ ...at, bytes: Buffer.alloc(0), nextOffset: 9, end: 100, leaderEpoch: 4 })
  assert.deepEqual([queue.position, queue.leaderEpoch], [9, 4])
  queue.jumpTo(0)
  assert.deepEqual([queue.leaderEpoch, queue.fetchEpoch], [undefined, undefined])
})

test('a chunk is free when the last record that was taken from it is done', () => {
  const freed: number[] = []
  const queue = new PartitionQueue({ topic: 'in', partition: 0 }, 0, { holdsRecords: true })
  queue.onFreed = () => freed.push(queue.bytes)
  const released: number[] = []
  const push = (from: number): number => {
    const one = { ...chunk(from, 2), release: () => void released.push(from) }
    queue.push(one)
    return one.bytes.length
  }
  const bytes = [push(0), push(2)]
  const take = (): HeldRecord => {
    assert.ok(queue.peek())
    return queue.take()
  }
  const [first, second, third, fourth] = [take(), take(), take(), take()]
  assert.deepEqual(
    [first, second, third, fourth].map(({ cursor }) => cursor.offset),
    [0, 1, 2, 3]
  )
  assert.equal(queue.peek(), false)
  assert.equal(queue.bytes, (bytes[0] ?? 0) + (bytes[1] ?? 0))
  fourth.letGo()
  second.letGo()
  second.letGo()
  third.letGo()
  assert.deepEqual(released, [2], 'out of order, and once each')
  assert.equal(first.valueBytes()?.toString(), 'a')
  first.letGo()
  assert.deepEqual(released, [2, 0])
  assert.equal(queue.bytes, 0)
  assert.equal(freed.length, 2)
})
