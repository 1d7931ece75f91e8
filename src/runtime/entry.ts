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

/** What the journal needs of the shard that a write belongs to. */
export interface JournaledShard {
  /** Makes the pending value of a row its accepted one. */
  accept(entry: Entry, timestamp: number): void
  /** @throws TAILRACE_SCHEMA_* when the pending value could not be committed */
  checkEncodable(entry: Entry): void
}

const dirtyBit = 1
const committingBit = 2
const recentBit = 4

export class Entry {
  readonly key: unknown
  /** Names the row in its window: a key that is a string is itself, another its bytes as text. */
  readonly text: string
  /** Start of its window; 0 in plain tables. */
  readonly windowStart: number
  /** As of the last finished record. */
  value: RowValue
  /** As of the open record, for its own body alone. */
  pending: RowValue = untouched
  /** Event time of the last write; travels in the changelog. */
  timestamp = 0
  /** Estimated memory that `value` takes beyond its slot. */
  valueBytes = 0
  /** The key was found to belong to the partition of its shard. */
  isPlaced = false
  // One number for three: of rows there are very many.
  #state = recentBit

  constructor(key: unknown, text: string, windowStart: number, value: RowValue) {
    this.key = key
    this.text = text
    this.windowStart = windowStart
    this.value = value
  }

  /** Changed since the last freeze. */
  get isDirty(): boolean {
    return (this.#state & dirtyBit) !== 0
  }

  set isDirty(is: boolean) {
    this.#state = is ? this.#state | dirtyBit : this.#state & ~dirtyBit
  }

  /** In a commit that the store does not hold yet: must not be evicted, or it would be read old. */
  get isCommitting(): boolean {
    return (this.#state & committingBit) !== 0
  }

  set isCommitting(is: boolean) {
    this.#state = is ? this.#state | committingBit : this.#state & ~committingBit
  }

  /** Was used since eviction last came by. */
  get isRecent(): boolean {
    return (this.#state & recentBit) !== 0
  }

  set isRecent(is: boolean) {
    this.#state = is ? this.#state | recentBit : this.#state & ~recentBit
  }

  /** Estimated memory, for the cache limit. */
  get sizeBytes(): number {
    return entryOverheadBytes + this.text.length + this.valueBytes
  }
}

// Entry, map slots and key string, as measured on 64-bit V8.
const entryOverheadBytes = 200
