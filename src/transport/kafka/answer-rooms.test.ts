// Tests of memory for large answers: when it is used again, and when never.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerRooms } from './answer-rooms.ts'

const megabyte = 1024 * 1024

test('memory is used again when the last holder let go', () => {
  const rooms = new AnswerRooms()
  const first = rooms.take(megabyte)
  const hold = rooms.hold(first)
  assert.ok(hold)
  hold.retain()
  hold.release()
  assert.notEqual(rooms.take(megabyte).buffer, first.buffer)
  hold.release()
  const again = rooms.take(megabyte - 1)
  assert.equal(again.buffer, first.buffer)
  assert.equal(again.length, megabyte - 1)
})

test('a part of an answer names its memory as well as all of it', () => {
  const rooms = new AnswerRooms()
  const answer = rooms.take(megabyte)
  rooms.hold(answer.subarray(100))?.release()
  assert.equal(rooms.take(megabyte).buffer, answer.buffer)
})

test('small answers and those received elsewhere have memory of their own', () => {
  const rooms = new AnswerRooms()
  const small = rooms.take(1_000)
  assert.equal(small.buffer.byteLength, 1_000)
  assert.equal(rooms.hold(small), undefined)
  assert.equal(rooms.hold(Buffer.alloc(megabyte)), undefined)
})

test('what is too small is left, and the largest are kept', () => {
  const rooms = new AnswerRooms()
  const sizes = [1, 5, 2, 6, 3, 4].map((count) => count * megabyte)
  const taken = sizes.map((size) => rooms.take(size))
  for (const answer of taken) rooms.hold(answer)?.release()
  const known = new Set(taken.map(({ buffer }) => buffer))
  const isKnown = (bytes: number): boolean => known.has(rooms.take(bytes).buffer)
  assert.equal(isKnown(6 * megabyte), true)
  assert.equal(isKnown(6 * megabyte), false)
  const small = Array.from({ length: 4 }, () => isKnown(megabyte))
  assert.deepEqual(small, [true, true, true, false])
})

test('answers that need none let it go, one each', () => {
  const rooms = new AnswerRooms()
  const answer = rooms.take(megabyte)
  rooms.hold(answer)?.release()
  rooms.shrink()
  assert.notEqual(rooms.take(megabyte).buffer, answer.buffer)
})

test('a room is larger than its first answer by an eighth at most', () => {
  const rooms = new AnswerRooms()
  for (const bytes of [65_536, 100_000, 1_000_001, 1_048_577, 8_500_000]) {
    const room = rooms.take(bytes).buffer.byteLength
    assert.ok(room >= bytes && room <= bytes * 1.125, `${room} for ${bytes}`)
  }
})
