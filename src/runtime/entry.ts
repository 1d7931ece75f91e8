// Data plane. One row of a table in the cache, through its states: pending, accepted, committing.

/** A value that cannot be frozen, kept as the bytes it was written in. */
export class EncodedValue {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** No row: deleted, or never there. */
export const absent: unique symbol = Symbol('absent')
/** No write of the open record. */
export const untouched: unique symbol = Symbol('untouched')

/** What a row holds: a frozen value, bytes, or nothing. */
export type RowValue = unknown

export class Entry {
  readonly key: unknown
  readonly keyBytes: Uint8Array
  /** Start of its window; 0 in plain tables. */
  readonly windowStart: number
  /** As of the last finished record. */
  value: RowValue
  /** As of the open record, for its own body alone. */
  pending: RowValue = untouched
  /** Changed since the last freeze. */
  isDirty = false
  /** In a commit that the store does not hold yet: must not be evicted, or it would be read old. */
  isCommitting = false
  /** Was used since eviction last came by. */
  isRecent = true
  /** Event time of the last write; travels in the changelog. */
  timestamp = 0
  /** Estimated memory, for the cache limit: of the slot with its key, and of `value`. */
  sizeBytes: number
  valueBytes = 0

  constructor(key: unknown, keyBytes: Uint8Array, windowStart: number, value: RowValue) {
    this.key = key
    this.keyBytes = keyBytes
    this.windowStart = windowStart
    this.value = value
    this.sizeBytes = entryOverheadBytes + keyBytes.length * 2
  }
}

// Entry, map slots and key string, as measured on 64-bit V8.
const entryOverheadBytes = 200
