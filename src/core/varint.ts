// Zigzag varints as record batches use them: sizes, and the slow paths of wide numbers.
//
// Numbers of 31 bits are written and read inline where it is hot; what is here takes the rest.

import { brokenInvariant } from './errors.ts'

/** Bytes of the zigzag varint of a number of 31 bits and a sign. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Writes the zigzag varint of a 32-bit number; returns the position after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let position = at
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[position++] = rest
  return position
}

/** Bytes of the zigzag varint of any safe integer. */
export function varlongSize(value: number): number {
  if (value === (value | 0)) return varintSize(value)
  let rest = zigzagOf(value)
  let size = 1
  for (; rest >= 0x80n; rest >>= 7n) size++
  return size
}

/** Writes the zigzag varint of any safe integer; returns the position after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (value === (value | 0)) return writeVarint(bytes, at, value)
  let rest = zigzagOf(value)
  let position = at
  for (; rest >= 0x80n; rest >>= 7n) bytes[position++] = Number(rest & 0x7fn) | 0x80
  bytes[position++] = Number(rest)
  return position
}

/**
 * Reads a zigzag varint of up to 64 bits as a double, or NaN when it does not end before `end`
 * or is longer than ten bytes. Its length is found by `varintLength`.
 */
export function readVarlong(bytes: Uint8Array, at: number, end: number): number {
  const length = varintLength(bytes, at, end)
  if (length === 0) return Number.NaN
  let zigzag = 0n
  for (let i = length - 1; i >= 0; i--) zigzag = (zigzag << 7n) | BigInt(bytes[at + i]! & 0x7f)
  return Number((zigzag >> 1n) ^ -(zigzag & 1n))
}

/** Bytes of the varint at `at`; 0 when it is cut off at `end` or longer than ten bytes. */
export function varintLength(bytes: Uint8Array, at: number, end: number): number {
  for (let i = 0; i < 10 && at + i < end; i++) if (bytes[at + i]! < 0x80) return i + 1
  return 0
}

function zigzagOf(value: number): bigint {
  if (!Number.isSafeInteger(value)) {
    throw brokenInvariant(`a record batch cannot hold the number ${value}`)
  }
  const wide = BigInt(value)
  return wide < 0n ? -wide * 2n - 1n : wide * 2n
}
