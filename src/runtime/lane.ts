// Data plane. Which events of a partition keep their order: those of one key.
import type { Slot } from '../core/schema.ts'
import { encode } from '../core/schema.ts'
import type { RecordPlace } from './held-record.ts'

/** Equal for equal keys, to a map; undefined where there is no key, and so no order to keep. */
export function laneOf(key: unknown, slot: Slot, record: RecordPlace): unknown {
  if (key === null || key === undefined) return undefined
  // Two texts of one number are one key to a table, so what was decoded decides and not the bytes.
  if (typeof key !== 'object') return key
  return textOf(bytesOf(key, slot) ?? record.keyBytes())
}

function bytesOf(key: object, slot: Slot): Uint8Array | null {
  try {
    return encode(slot, key, 'the key')
  } catch {
    // A codec that only reads: then the bytes of the record are all there is to compare.
    return null
  }
}

function textOf(bytes: Uint8Array | null): string | undefined {
  return bytes === null ? undefined : Buffer.from(bytes).toString('latin1')
}
