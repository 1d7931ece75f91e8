// The native checksum is there on machines that have one, and says what ours says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accelerateCrc32c, crc32c } from '../../core/crc32c.ts'
import { useNativeChecksum } from './native-checksum.ts'

test('with native code and without it, checksums are the same', () => {
  const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 31) & 0xff))
  const ranges = [0, 1, 511, 512, 513, 4_096].map((size) => [3, 3 + size] as const)
  const before = ranges.map(([start, end]) => crc32c(bytes, start, end))
  useNativeChecksum()
  assert.deepEqual(
    ranges.map(([start, end]) => crc32c(bytes, start, end)),
    before
  )
})

test('native code that computes another checksum is not used', () => {
  assert.equal(
    accelerateCrc32c(() => 7),
    false
  )
  assert.notEqual(crc32c(Buffer.alloc(1_000)), 7)
})
