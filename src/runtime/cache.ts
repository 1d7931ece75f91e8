// Data plane. Decoded rows in memory: one limit in bytes for all shards of a worker.
import { type Entry, untouched } from './entry.ts'

/** What all caches of a worker share: the limit, and who evicts next. */
export class CacheBudget {
  readonly bytesMax: number
  readonly #caches = new Set<ShardCache>()
  #bytes = 0
  #grownBytes = 0
  /** Called when so much was added that the limits should be looked at before the next record. */
  onGrown: () => void = () => undefined

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  join(cache: ShardCache): void {
    this.#caches.add(cache)
  }

  leave(cache: ShardCache): void {
    if (this.#caches.delete(cache)) this.#bytes -= cache.bytes
  }

  /** Counts what a cache grew by, unless it has left. */
  charge(cache: ShardCache, bytes: number): void {
    if (!this.#caches.has(cache)) return
    this.#bytes += bytes
    this.#grownBytes += bytes
    if (this.#bytes <= this.bytesMax && this.#grownBytes < growthBytes) return
    this.#grownBytes = 0
    this.onGrown()
  }

  /**
   * Evicts clean rows, shard by shard, where the limit is exceeded; called between records. False
   * when rows that a commit must write before they can go still fill it.
   */
  makeRoom(): boolean {
    if (this.#bytes <= this.bytesMax) return true
    const target = this.bytesMax * sharedTarget
    // Rows used since the last time are spared once: where all are, a second pass takes them.
    for (let pass = 0; pass < 2 && this.#bytes > target; pass++) this.#evict(target)
    return this.#bytes <= this.bytesMax
  }

  #evict(target: number): void {
    for (const cache of [...this.#caches]) {
      if (this.#bytes <= target) return
      this.#bytes -= cache.evict(this.#bytes - target)
      // The next call begins with another shard, so that none is always the victim.
      this.#caches.delete(cache)
      this.#caches.add(cache)
    }
  }
}

/** So much of the limit stays in use: with more, rows that stay would be looked at too often. */
const sharedTarget = 0.95

/** Values can be large: after this many bytes more the limits are looked at, between looks. */
const growthBytes = 1_048_576

interface CachedWindow {
  readonly rows: Map<string, Entry>
  /** Every row it has is here: what is not here is not in the store either. */
  isWhole: boolean
}

/** Rows of one shard: by window, then by key (joined keys cost twice as much). */
export class ShardCache {
  readonly #budget: CacheBudget
  readonly #windows = new Map<number, CachedWindow>()
  // The window looked at last: events come in runs of one window.
  #lastStart = Number.NaN
  #lastWindow: CachedWindow = { rows: new Map(), isWhole: false }
  bytes = 0

  constructor(budget: CacheBudget) {
    this.#budget = budget
    budget.join(this)
  }

  get(windowStart: number, key: unknown): Entry | undefined {
    return typeof key === 'string' ? this.getText(windowStart, key) : undefined
  }

  getText(windowStart: number, text: string): Entry | undefined {
    return this.#window(windowStart)?.rows.get(text)
  }

  /** True when the store need not be asked for a row of this window that is not here. */
  isWhole(windowStart: number): boolean {
    return this.#window(windowStart)?.isWhole === true
  }

  /** `isStored`: the store may hold rows of this window that are not here. */
  add(entry: Entry, { isStored }: { readonly isStored: boolean }): void {
    let window = this.#window(entry.windowStart)
    if (window === undefined) {
      window = { rows: new Map(), isWhole: !isStored }
      this.#windows.set(entry.windowStart, window)
    }
    window.rows.set(entry.text, entry)
    this.bytes += entry.sizeBytes
    this.#budget.charge(this, entry.sizeBytes)
  }

  /** The value of a row that is here takes another amount of memory now. */
  resize(entry: Entry, valueBytes: number): void {
    const growth = valueBytes - entry.valueBytes
    entry.valueBytes = valueBytes
    this.bytes += growth
    this.#budget.charge(this, growth)
  }

  #window(start: number): CachedWindow | undefined {
    if (start === this.#lastStart) return this.#lastWindow
    const window = this.#windows.get(start)
    if (window !== undefined) {
      this.#lastStart = start
      this.#lastWindow = window
    }
    return window
  }

  windowStarts(): Iterable<number> {
    return this.#windows.keys()
  }

  /** Rows whose accepted state differs from the store's: what a scan must lay over it. */
  *unstored(): Iterable<Entry> {
    for (const window of this.#windows.values()) {
      for (const entry of window.rows.values()) if (isHeld(entry)) yield entry
    }
  }

  /** Forgets clean rows that were not used lately, oldest windows first; returns bytes freed. */
  evict(bytesWanted: number): number {
    let freed = 0
    for (const start of [...this.#windows.keys()].sort((a, b) => a - b)) {
      if (freed >= bytesWanted) break
      freed += this.#evictFrom(start, bytesWanted - freed)
    }
    this.bytes -= freed
    return freed
  }

  #evictFrom(start: number, bytesWanted: number): number {
    const window = this.#windows.get(start)
    if (window === undefined) return 0
    let freed = 0
    for (const [text, entry] of window.rows) {
      if (freed >= bytesWanted) break
      if (isHeld(entry)) continue
      if (entry.isRecent) {
        entry.isRecent = false
        continue
      }
      window.rows.delete(text)
      window.isWhole = false
      freed += entry.sizeBytes
    }
    if (window.rows.size === 0) this.#drop(start)
    return freed
  }

  /**
   * Forgets windows that start before `horizon`, but for rows that a commit still needs; none after
   * `rowsMax` rows. Says how many rows it looked at.
   */
  forgetBefore(horizon: number, rowsMax: number = Number.POSITIVE_INFINITY): number {
    let seen = 0
    for (const [start, window] of this.#windows) {
      if (seen >= rowsMax) break
      if (start >= horizon) continue
      seen += window.rows.size
      this.#forgetFrom(start, window)
    }
    return seen
  }

  #forgetFrom(start: number, window: CachedWindow): void {
    const held: [string, Entry][] = []
    let freed = 0
    for (const row of window.rows) {
      if (isHeld(row[1])) held.push(row)
      else freed += row[1].sizeBytes
    }
    this.bytes -= freed
    this.#budget.charge(this, -freed)
    if (held.length === 0) return this.#drop(start)
    window.isWhole = false
    window.rows.clear()
    for (const [text, entry] of held) window.rows.set(text, entry)
  }

  #drop(start: number): void {
    this.#windows.delete(start)
    if (this.#lastStart === start) this.#lastStart = Number.NaN
  }

  close(): void {
    this.#budget.leave(this)
    this.#windows.clear()
    this.#lastStart = Number.NaN
  }
}

function isHeld(entry: Entry): boolean {
  return entry.isDirty || entry.isCommitting || entry.pending !== untouched
}
