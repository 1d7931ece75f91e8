// Data plane. About how much memory a table value takes: what cache and commit limits count in.
import { EncodedValue } from './entry.ts'

const stringBytes = 16
const objectBytes = 32
const slotBytes = 16

/**
 * Estimated bytes of a row's value, beyond its slot in the cache. Numbers and the like are part of
 * that slot. Values are plain data without cycles: what else a row holds is kept as bytes.
 */
export function rowBytes(value: unknown): number {
  if (typeof value === 'string') return stringBytes + value.length * 2
  return typeof value === 'object' && value !== null ? objectSize(value) : 0
}

function objectSize(value: object): number {
  if (value instanceof EncodedValue) return objectBytes + value.bytes.length
  let bytes = objectBytes
  if (Array.isArray(value)) {
    for (const item of value) bytes += slotBytes + rowBytes(item)
    return bytes
  }
  const object = value as Readonly<Record<string, unknown>>
  for (const name in object) bytes += slotBytes + rowBytes(object[name])
  return bytes
}
