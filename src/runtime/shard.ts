// Data plane. One partition of one table: decoded write-back cache over the store, with the two
// dirty generations of a commit: what is being committed, and what came after it.
import type { ByteWriter } from '../core/byte-writer.ts'
import { writerOf } from '../core/codec.ts'
import type { TableDeclaration } from '../core/declarations.ts'
import { invariant, TailraceError } from '../core/errors.ts'
import { freezeDeep, isEqualData } from '../core/freeze.ts'
import { decode, encode, encodeInto, validateNow } from '../core/schema.ts'
import { expiredBefore } from '../core/window.ts'
import type { ShardId, Store } from '../port/store.ts'
import type { ShardCache } from './cache.ts'
import {
  envelopeBytes,
  enveloped,
  windowedKey,
  writeEnvelope,
  writeWindowStart
} from './changelog.ts'
import { absent, EncodedValue, Entry, untouched } from './entry.ts'
import type { Journal } from './journal.ts'
import { RowBlock } from './row-block.ts'
import { rowBytes } from './row-size.ts'
import { asSendFailure } from './send-failures.ts'

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
    const { storedWindows } = this.#parts
    const isStored = storedWindows === undefined || storedWindows.has(windowStart)
    const isAsked = isStored && !this.#cache.isWhole(windowStart)
    // Text can always be written as a key: its bytes are made when they are needed.
    const isText = typeof key === 'string' && writerOf(this.table.key.codec) !== undefined
    const bytes = isAsked || !isText ? this.keyBytes(key) : noBytes
    const text = typeof key === 'string' ? key : Buffer.from(bytes).toString('latin1')
    const known = typeof key === 'string' ? undefined : this.#cache.getText(windowStart, text)
    if (known !== undefined) return known
    const value = isAsked ? this.#read(this.rowKey(windowStart, bytes)) : absent
    const entry = new Entry(key, text, windowStart, value)
    this.#cache.add(entry, { isStored })
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

  /** The key of a row as bytes. */
  keyBytesOf({ key, text }: Entry): Uint8Array {
    return typeof key === 'string' ? this.keyBytes(key) : Buffer.from(text, 'latin1')
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
    if (entry.isPlaced || this.table.scope === 'partition') return
    const { partition, partitions } = this.#parts
    const own = this.table.partitioner.partition(this.keyBytesOf(entry), partitions)
    if (own === partition) {
      entry.isPlaced = true
      return
    }
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
    this.#dirtyBytes += entry.text.length + entry.valueBytes + estimatedRowBytes
  }

  /** @throws TAILRACE_SCHEMA_* when the pending value could not be committed */
  checkEncodable(entry: Entry): void {
    if (entry.pending !== untouched) this.#write(new RowBlock([entry]), entry, entry.pending)
  }

  get hasDirty(): boolean {
    return this.#dirty.length > 0
  }

  /** Ends the current generation: encodes each changed row once and pins it until `committed`. */
  freeze(): RowBlock {
    const entries = this.#dirty
    const block = new RowBlock(entries)
    for (const entry of entries) this.#write(block, entry, entry.value)
    // Only now: had one of them thrown, all of them would still be dirty.
    for (const entry of entries) {
      entry.isDirty = false
      entry.isCommitting = true
    }
    this.#dirty = []
    this.#dirtyBytes = 0
    return block
  }

  // As the log will hold it: a row that it cannot hold is found before anything is sent.
  #write(block: RowBlock, entry: Entry, held: unknown): void {
    const { writer } = block
    const start = writer.length
    if (this.table.window !== undefined) writeWindowStart(writer, entry.windowStart)
    const { key } = entry
    if (typeof key === 'string') encodeInto(writer, this.table.key, key, this.#keyName)
    else writer.bytes(this.keyBytesOf(entry))
    block.end()
    if (held !== absent) {
      writeEnvelope(writer, entry.timestamp)
      this.#writeHeld(writer, held)
      this.#checkSize(writer.length - start - envelopeBytes)
    }
    block.end()
  }

  #checkSize(bytes: number): void {
    const { recordBytesMax } = this.#parts
    if (bytes <= recordBytesMax) return
    throw new TailraceError(
      'TAILRACE_SCHEMA_TOO_LARGE',
      `a row of ${this.#where} takes ${bytes} bytes; ` +
        `the limit (recordBytesMax) is ${recordBytesMax}`,
      { isDefinite: true }
    )
  }

  /** The store holds these rows: they may be evicted again. */
  committed({ entries }: RowBlock): void {
    const { storedWindows } = this.#parts
    let last: number | undefined
    for (const entry of entries) {
      entry.isCommitting = false
      if (entry.windowStart === last) continue
      last = entry.windowStart
      storedWindows?.add(last)
    }
  }

  #writeHeld(writer: ByteWriter, held: unknown): void {
    if (held instanceof EncodedValue) writer.bytes(held.bytes)
    else if (this.#hasRoundTripped) encodeInto(writer, this.table.value, held, this.#valueName)
    else {
      this.#hasRoundTripped = true
      writer.bytes(this.#encodeChecked(held))
    }
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

const noBytes = new Uint8Array(0)

// Changelog record of a number, its envelope and varints; exact sizes come with the freeze.
const estimatedRowBytes = 64
