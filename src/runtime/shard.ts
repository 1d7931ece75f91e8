// Data plane. One partition of one table: decoded write-back cache over the store, with the two
// dirty generations of a commit: what is being committed, and what came after it.
import type { TableDeclaration } from '../core/declarations.ts'
import { invariant, TailraceError } from '../core/errors.ts'
import { freezeDeep, isEqualData } from '../core/freeze.ts'
import { decode, encode, validateNow } from '../core/schema.ts'
import { expiredBefore } from '../core/window.ts'
import type { ShardId, Store } from '../port/store.ts'
import type { ShardCache } from './cache.ts'
import { envelope, enveloped, windowedKey } from './changelog.ts'
import { absent, EncodedValue, Entry, untouched } from './entry.ts'
import type { Journal } from './journal.ts'
import { rowBytes } from './row-size.ts'
import { asSendFailure } from './send-failures.ts'

/** A row as a commit writes it, to the changelog and to the store alike. */
export interface CommittingRow {
  readonly entry: Entry
  readonly rowKey: Uint8Array
  /** Null: deleted. */
  readonly row: Uint8Array | null
}

export interface ShardParts {
  readonly table: TableDeclaration
  readonly partition: number
  readonly partitions: number
  readonly changelog: string
  readonly store: Store
  readonly cache: ShardCache
  readonly recordBytesMax: number
  /** Windows that the store has rows of; undefined in plain tables. */
  readonly storedWindows: Set<number> | undefined
}

export class Shard {
  readonly table: TableDeclaration
  readonly id: ShardId
  readonly changelog: string
  readonly #parts: ShardParts
  readonly #cache: ShardCache
  readonly #where: string
  readonly #keyName: string
  readonly #valueName: string
  #dirty: Entry[] = []
  #dirtyBytes = 0
  #hasRoundTripped = false

  constructor(parts: ShardParts) {
    this.#parts = parts
    this.table = parts.table
    this.changelog = parts.changelog
    this.id = { table: parts.table.name, partition: parts.partition }
    this.#cache = parts.cache
    this.#where = `table "${parts.table.name}"`
    this.#keyName = `a key of ${this.#where}`
    this.#valueName = `a value of ${this.#where}`
  }

  /** Estimated bytes that the next freeze will encode. */
  get dirtyBytes(): number {
    return this.#dirtyBytes
  }

  /** Windows that have rows, in the store or in the cache. */
  knownWindows(): Set<number> {
    return new Set([...(this.#parts.storedWindows ?? []), ...this.#cache.windowStarts()])
  }

  get storedWindows(): Set<number> | undefined {
    return this.#parts.storedWindows
  }

  get store(): Store {
    return this.#parts.store
  }

  get cache(): ShardCache {
    return this.#cache
  }

  /** The row of a key, from the cache or else from the store. */
  entryOf(key: unknown, windowStart: number): Entry {
    const cached = this.#cache.get(windowStart, key)
    if (cached !== undefined) {
      cached.isRecent = true
      return cached
    }
    return this.#load(key, windowStart)
  }

  #load(key: unknown, windowStart: number): Entry {
    const bytes = this.keyBytes(key)
    const text = typeof key === 'string' ? key : Buffer.from(bytes).toString('latin1')
    const known = typeof key === 'string' ? undefined : this.#cache.getText(windowStart, text)
    if (known !== undefined) return known
    const { storedWindows } = this.#parts
    const isStored = storedWindows === undefined || storedWindows.has(windowStart)
    const isAsked = isStored && !this.#cache.isWhole(windowStart)
    const value = isAsked ? this.#read(this.rowKey(windowStart, bytes)) : absent
    const entry = new Entry(key, bytes, windowStart, value)
    this.#cache.add(entry, text, { isStored })
    this.#measure(entry)
    return entry
  }

  #read(rowKey: Uint8Array): unknown {
    const row = this.#parts.store.get(this.id, rowKey)
    return row === undefined ? absent : this.decodeRow(row)
  }

  // What a row takes is known when its value changes, and before it is encoded.
  #measure(entry: Entry): number {
    const bytes = rowBytes(entry.value)
    const growth = bytes - entry.valueBytes
    if (growth !== 0) this.#cache.resize(entry, bytes)
    return growth
  }

  /** The frozen value of a row, or its bytes where it cannot be frozen. */
  decodeRow(row: Uint8Array): unknown {
    const bytes = enveloped(row, this.#where)
    const value = this.#decodeValue(bytes)
    return freezeDeep(value) ? value : new EncodedValue(Uint8Array.from(bytes))
  }

  #decodeValue(bytes: Uint8Array): unknown {
    const slot = this.table.value
    return validateNow(slot, decode(slot, bytes, this.#where), this.#valueName)
  }

  /** What a user gets for what a row holds. */
  reveal(held: unknown): unknown {
    if (held === absent) return this.initial()
    return held instanceof EncodedValue ? this.#decodeValue(held.bytes) : held
  }

  initial(): unknown {
    if (this.table.initial === undefined) return undefined
    const value = this.table.initial()
    freezeDeep(value)
    return value
  }

  rowKey(windowStart: number, keyBytes: Uint8Array): Uint8Array {
    return this.table.window === undefined ? keyBytes : windowedKey(windowStart, keyBytes)
  }

  /** @throws TAILRACE_SCHEMA_ENCODE, TAILRACE_TABLE_VALUE for null */
  keyBytes(key: unknown): Uint8Array {
    const bytes = encode(this.table.key, key, this.#keyName)
    if (bytes !== null) return bytes
    throw new TailraceError('TAILRACE_TABLE_VALUE', `a key of ${this.#where} is null`, {
      hint: 'Give the record a key, or group the stream by one.'
    })
  }

  /** Notes a write of the open record. */
  write(journal: Journal, entry: Entry, value: unknown): void {
    this.#checkPartition(entry)
    journal.write(this, entry, value)
  }

  /** What a row will hold for a value that a user gave. */
  held(value: unknown): unknown {
    if (value === null || value === undefined) {
      throw new TailraceError(
        'TAILRACE_TABLE_VALUE',
        `${this.#where} was given ${String(value)}; a row holds a value or is not there`
      )
    }
    try {
      return freezeDeep(value) ? value : new EncodedValue(this.#encodeChecked(value))
    } catch (error) {
      throw asSendFailure(error)
    }
  }

  #checkPartition(entry: Entry): void {
    if (entry.isDirty || this.table.scope === 'partition') return
    const { partition, partitions } = this.#parts
    const own = this.table.partitioner.partition(entry.keyBytes, partitions)
    if (own === partition) return
    throw new TailraceError(
      'TAILRACE_TABLE_WRONG_PARTITION',
      `key ${JSON.stringify(entry.key)} of ${this.#where} belongs to partition ${own}, ` +
        `and was written by the task of partition ${partition}`,
      { context: { table: this.table.name, partition } }
    )
  }

  /** Makes the pending value of a row its accepted one. */
  accept(entry: Entry, timestamp: number): void {
    entry.value = entry.pending
    entry.pending = untouched
    entry.timestamp = timestamp
    const growth = this.#measure(entry)
    if (entry.isDirty) {
      this.#dirtyBytes += growth
      return
    }
    entry.isDirty = true
    this.#dirty.push(entry)
    this.#dirtyBytes += entry.keyBytes.length + entry.valueBytes + estimatedRowBytes
  }

  /** @throws TAILRACE_SCHEMA_* when the pending value could not be committed */
  checkEncodable(entry: Entry): void {
    if (entry.pending !== untouched) this.#rowOf(entry, entry.pending)
  }

  get hasDirty(): boolean {
    return this.#dirty.length > 0
  }

  /** Ends the current generation: encodes each changed row once and pins it until `committed`. */
  freeze(): readonly CommittingRow[] {
    const rows: CommittingRow[] = []
    for (const entry of this.#dirty) rows.push(this.#rowOf(entry, entry.value))
    // Only now: had one of them thrown, all of them would still be dirty.
    for (const entry of this.#dirty) {
      entry.isDirty = false
      entry.isCommitting = true
    }
    this.#dirty = []
    this.#dirtyBytes = 0
    return rows
  }

  // As the log will hold it: a row that it cannot hold is found before anything is sent.
  #rowOf(entry: Entry, held: unknown): CommittingRow {
    const rowKey = this.rowKey(entry.windowStart, entry.keyBytes)
    if (held === absent) return { entry, rowKey, row: null }
    const encoded = this.#encodeHeld(held)
    const bytes = rowKey.length + encoded.length
    const { recordBytesMax } = this.#parts
    if (bytes <= recordBytesMax) {
      return { entry, rowKey, row: envelope(entry.timestamp, encoded) }
    }
    throw new TailraceError(
      'TAILRACE_SCHEMA_TOO_LARGE',
      `a row of ${this.#where} takes ${bytes} bytes; ` +
        `the limit (recordBytesMax) is ${recordBytesMax}`,
      { isDefinite: true }
    )
  }

  /** The store holds these rows: they may be evicted again. */
  committed(rows: readonly CommittingRow[]): void {
    for (const { entry } of rows) {
      entry.isCommitting = false
      this.#parts.storedWindows?.add(entry.windowStart)
    }
  }

  #encodeHeld(held: unknown): Uint8Array {
    if (held instanceof EncodedValue) return held.bytes
    if (!this.#hasRoundTripped) {
      this.#hasRoundTripped = true
      return this.#encodeChecked(held)
    }
    return this.#encode(held)
  }

  #encode(value: unknown): Uint8Array {
    const bytes = encode(this.table.value, value, this.#valueName)
    invariant(bytes !== null, 'a table holds a row without a value')
    return bytes
  }

  // A schema is opaque: whether its output can be written is seen by reading it back.
  #encodeChecked(value: unknown): Uint8Array {
    const bytes = this.#encode(value)
    if (isEqualData(value, this.#decodeValue(bytes))) return bytes
    throw new TailraceError(
      'TAILRACE_SCHEMA_UNWRITABLE',
      `a value of ${this.#where} does not read back equal from the codec ` +
        `"${this.table.value.codec.name}"`,
      { isDefinite: true }
    )
  }

  /** Windows that start before this are hidden and will be deleted; -Infinity in plain tables. */
  horizon(streamTime: number): number {
    const { window } = this.table
    return window === undefined ? Number.NEGATIVE_INFINITY : expiredBefore(window, streamTime)
  }
}

// Changelog record of a number, its envelope and varints; exact sizes come with the freeze.
const estimatedRowBytes = 64
