// Partitioners: the same answers as the producers of other languages.
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32Partitioner, murmur2, murmur2Partitioner } from './partitioner.ts'

test("murmur2 gives the values of Kafka's own tests", () => {
  const vectors: readonly (readonly [text: string, hash: number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107]
  ]
  for (const [text, hash] of vectors) assert.equal(murmur2(Buffer.from(text)), hash, text)
})

test('the sign is cleared and not taken as a magnitude, as Java does it', () => {
  const key = Buffer.from('21')
  assert.equal(murmur2Partitioner.partition(key, 1_000), (-973932308 & 0x7fffffff) % 1_000)
})

test("crc32 is zlib's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 1_000 }), (key, n) => {
      assert.equal(crc32Partitioner.partition(key, n), crc32(key) % n)
    })
  )
})

test('every partition is a partition, whatever the key, also in the middle of a buffer', () => {
  const partitions = fc.integer({ min: 1, max: 1_000 })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), partitions, (key, count) => {
      const inside = Buffer.concat([Buffer.from('xx'), key, Buffer.from('yy')])
      for (const partitioner of [murmur2Partitioner, crc32Partitioner]) {
        const partition = partitioner.partition(key, count)
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < count)
        const view = inside.subarray(2, 2 + key.length)
        assert.equal(partitioner.partition(view, count), partition)
      }
    })
  )
})

test('keys spread evenly', () => {
  const counts = new Array<number>(8).fill(0)
  for (let index = 0; index < 8_000; index++) {
    const partition = murmur2Partitioner.partition(Buffer.from(`key-${index}`), 8)
    counts[partition] = (counts[partition] ?? 0) + 1
  }
  for (const count of counts) assert.ok(count > 850 && count < 1_150, String(counts))
})
