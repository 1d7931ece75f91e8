// However bytes arrive, and wherever they are put, the frames that come out are the same.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameReader, isTlsRecord } from './frame-reader.ts'

function frame(size: number, fill: number): Buffer {
  const bytes = Buffer.alloc(4 + size, fill)
  bytes.writeInt32BE(size, 0)
  return bytes
}

const sizes = [4, 5, 100, 70_000, 4, 200_000, 65_532, 65_536, 9]
const stream = Buffer.concat(sizes.map((size, i) => frame(size, i + 1)))

function check(frames: readonly Buffer[]): void {
  assert.deepEqual(
    frames.map((one) => one.length),
    sizes
  )
  frames.forEach((one, i) => {
    assert.ok(
      one.every((byte) => byte === i + 1),
      `frame ${i} holds foreign bytes`
    )
  })
}

for (const step of [1, 3, 1_000, 65_536, 1_000_000]) {
  test(`frames come whole out of chunks of ${step} bytes`, () => {
    const reader = new FrameReader()
    const frames: Buffer[] = []
    for (let at = 0; at < stream.length; at += step) {
      reader.push(Buffer.from(stream.subarray(at, at + step)), (one) => frames.push(one))
    }
    check(frames)
    assert.equal(reader.isWithin, false)
  })

  test(`frames come whole where at most ${step} bytes are put into the room at once`, () => {
    const reader = new FrameReader()
    const frames: Buffer[] = []
    for (let at = 0; at < stream.length; ) {
      const room = reader.room()
      assert.ok(room.length > 0)
      const count = stream.copy(room, 0, at, at + Math.min(step, room.length))
      reader.fill(count, (one) => frames.push(one))
      at += count
    }
    check(frames)
  })
}

test('a length that no frame has is refused', () => {
  for (const length of [-1, 3, 0x7fff_ffff]) {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32BE(length, 0)
    assert.throws(() => new FrameReader().push(bytes, () => assert.fail()), RangeError)
  }
})

test('an alert of TLS is no frame', () => {
  assert.equal(isTlsRecord(Buffer.from([0x15, 3, 3, 0, 2, 2, 40])), true)
  assert.equal(isTlsRecord(frame(10, 1)), false)
})
