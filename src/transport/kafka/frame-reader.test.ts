// Tests of cutting a stream into frames, wherever its chunks begin and end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameReader, isTlsRecord } from './frame-reader.ts'

function framed(...bodies: readonly string[]): Buffer {
  return Buffer.concat(
    bodies.map((body) => {
      const frame = Buffer.alloc(4 + body.length)
      frame.writeInt32BE(body.length)
      frame.write(body, 4)
      return frame
    })
  )
}

function read(stream: Buffer, chunkBytes: number): string[] {
  const reader = new FrameReader()
  const frames: string[] = []
  for (let at = 0; at < stream.length; at += chunkBytes) {
    reader.push(stream.subarray(at, at + chunkBytes), (frame) => frames.push(frame.toString()))
  }
  assert.equal(reader.isWithin, false)
  return frames
}

test('frames are whole however the stream is cut', () => {
  const bodies = ['four', 'a longer one', 'x'.repeat(1_000), 'last']
  const stream = framed(...bodies)
  for (let bytes = 1; bytes <= stream.length; bytes++) assert.deepEqual(read(stream, bytes), bodies)
})

test('a frame in one chunk is not copied, one of several chunks is its own', () => {
  const reader = new FrameReader()
  const [whole, halves] = [framed('whole'), framed('in halves')]
  reader.push(whole, (frame) => assert.equal(frame.buffer, whole.buffer))
  reader.push(halves.subarray(0, 7), () => assert.fail('half a frame'))
  assert.equal(reader.isWithin, true)
  reader.push(halves.subarray(7), (frame) => assert.notEqual(frame.buffer, halves.buffer))
})

test('a length that is none is refused', () => {
  for (const length of [-1, 3, 0x7fffffff]) {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32BE(length)
    assert.throws(() => new FrameReader().push(bytes, () => undefined), RangeError)
  }
})

test('the alert of a TLS listener is told from a frame', () => {
  assert.equal(isTlsRecord(Buffer.from([0x15, 3, 3, 0, 2])), true)
  assert.equal(isTlsRecord(framed('answer')), false)
  assert.equal(isTlsRecord(Buffer.from([0x15])), false)
})
