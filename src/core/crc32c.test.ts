// The checksum against its published check value and a bit-by-bit reference.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from './crc32c.ts'

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc = (crc ^ byte) >>> 0
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 1) === 1 ? ((crc >>> 1) ^ 0x82f63b78) >>> 0 : crc >>> 1
    }
  }
  return (crc ^ 0xffffffff) >>> 0
}

test('gives the published check value and that of nothing', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(crc32c(Buffer.alloc(0)), 0)
})

test('agrees with the bit-by-bit reference at every length and alignment', () => {
  const part = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat(20), fc.nat(20))
  fc.assert(
    fc.property(part, ([bytes, skip, spare]) => {
      const start = Math.min(skip, bytes.length)
      const end = Math.max(start, bytes.length - spare)
      assert.equal(crc32c(bytes, start, end), bitByBit(bytes.subarray(start, end)))
    })
  )
})
