// The form of a changelog record and of a store row: both hold the same bytes.
//
// Key: the table's encoded key, after eight bytes of window start where the table is windowed
// (big-endian with the sign flipped, so that byte order is time order). Value: one byte of form,
// eight bytes of event time, then the table's encoded value. A null value is a tombstone.
import type { ByteWriter } from '../core/byte-writer.ts'
import { TailraceError } from '../core/errors.ts'

export const windowBytes = 8
const envelopeForm = 1
export const envelopeBytes = 9

/** Window start as eight bytes that sort by time, before the key. */
export function windowedKey(start: number, key: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(windowBytes + key.length)
  writeTime(bytes, start)
  bytes.set(key, windowBytes)
  return bytes
}

const startBytes = Buffer.alloc(windowBytes)

/** The same into bytes that are being written: the key follows. */
export function writeWindowStart(writer: ByteWriter, start: number): void {
  writeTime(startBytes, start)
  writer.bytes(startBytes)
}

/** The lowest row key of windows that start at `start`. */
export function windowBound(start: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(windowBytes)
  writeTime(bytes, Math.max(-timeMax, Math.min(timeMax, start)))
  return bytes
}

export function windowStartOf(rowKey: Uint8Array): number {
  const high = readUint32(rowKey, 0) - 0x8000_0000
  return high * 0x1_0000_0000 + readUint32(rowKey, 4)
}

const timeMax = Number.MAX_SAFE_INTEGER

function writeTime(bytes: Buffer, time: number): void {
  const high = Math.floor(time / 0x1_0000_0000)
  bytes.writeUInt32BE(high + 0x8000_0000, 0)
  bytes.writeUInt32BE(time - high * 0x1_0000_0000, 4)
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  )
}

/** What stands before the encoded value of a row. */
export function writeEnvelope(writer: ByteWriter, timestamp: number): void {
  writer.byte(envelopeForm)
  writer.double(timestamp)
}

/** The encoded value of a row. */
export function enveloped(bytes: Uint8Array, where: string): Uint8Array {
  if (bytes.length >= envelopeBytes && bytes[0] === envelopeForm) {
    return bytes.subarray(envelopeBytes)
  }
  throw new TailraceError(
    'TAILRACE_STATE_CORRUPT',
    `a row of ${where} is not in a form this version reads`
  )
}
