// The store in memory: for tests, the simulator and small tables that restore from the log.

import { invariant } from '../core/errors.ts'
import type {
  Checkpoint,
  ShardId,
  Store,
  StoreBatch,
  StoreIdentity,
  StoreRange,
  StoreRow
} from '../port/store.ts'

/**
 * A store that is empty at each open: its tables come back from their changelogs. What
 * `store: 'memory'` makes.
 */
export function createMemoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly name = 'memory'
  readonly #tables = new Map<string, Map<number, Shard>>()
  #isOpen = false

  async open(_identity: StoreIdentity): Promise<void> {
    invariant(!this.#isOpen, 'the memory store is opened twice')
    this.#isOpen = true
  }

  get(shard: ShardId, key: Uint8Array): Uint8Array | undefined {
    return this.#find(shard)?.get(textOf(key))
  }

  async scan(shard: ShardId, range: StoreRange): Promise<readonly StoreRow[]> {
    return this.#find(shard)?.scan(range) ?? []
  }

  batch(): StoreBatch {
    this.#assertOpen()
    const changes: Change[] = []
    let isWritten = false
    const add = (change: Change): void => {
      invariant(!isWritten, 'a store batch is used once')
      changes.push(change)
    }
    return {
      // Copied, as a store on disk does: callers hand over views of buffers that they use again.
      put: (shard, key, value) => add({ shard, key: textOf(key), value: new Uint8Array(value) }),
      delete: (shard, key) => add({ shard, key: textOf(key), value: undefined }),
      checkpoint: (shard, checkpoint) => add({ shard, checkpoint: { ...checkpoint } }),
      write: async () => {
        invariant(!isWritten && this.#isOpen, 'a store batch is used once, while it is open')
        isWritten = true
        await this.#later(() => {
          for (const change of changes) this.#apply(change)
        })
      }
    }
  }

  checkpoint(shard: ShardId): Checkpoint | undefined {
    return this.#find(shard)?.checkpoint
  }

  async shards(): Promise<readonly ShardId[]> {
    this.#assertOpen()
    const found: ShardId[] = []
    for (const partitions of this.#tables.values()) {
      for (const shard of partitions.values()) {
        if (!shard.isEmpty) found.push(shard.id)
      }
    }
    return found
  }

  async wipe(shard: ShardId): Promise<void> {
    this.#assertOpen()
    await this.#later(() => {
      this.#tables.get(shard.table)?.delete(shard.partition)
    })
  }

  async clear(
    shard: ShardId,
    range: { readonly from: Uint8Array; readonly to: Uint8Array }
  ): Promise<void> {
    this.#assertOpen()
    await this.#later(() => this.#find(shard)?.clear(range))
  }

  async sizeBytes(): Promise<number> {
    let bytes = 0
    for (const partitions of this.#tables.values()) {
      for (const shard of partitions.values()) bytes += shard.sizeBytes
    }
    return bytes
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#tables.clear()
  }

  /**
   * Changes take hold one turn after the call, in the order of the calls: whoever forgets to
   * await a write sees the same here as on disk.
   */
  async #later(change: () => void): Promise<void> {
    await Promise.resolve()
    if (this.#isOpen) change()
  }

  #apply(change: Change): void {
    const shard = this.#findOrMake(change.shard)
    if ('checkpoint' in change) shard.checkpoint = change.checkpoint
    else if (change.value === undefined) shard.delete(change.key)
    else shard.put(change.key, change.value)
  }

  #find({ table, partition }: ShardId): Shard | undefined {
    this.#assertOpen()
    return this.#tables.get(table)?.get(partition)
  }

  #findOrMake(id: ShardId): Shard {
    let partitions = this.#tables.get(id.table)
    if (partitions === undefined) this.#tables.set(id.table, (partitions = new Map()))
    let shard = partitions.get(id.partition)
    if (shard === undefined) partitions.set(id.partition, (shard = new Shard(id)))
    return shard
  }

  #assertOpen(): void {
    invariant(this.#isOpen, 'the memory store is used while it is not open')
  }
}

type Change =
  | { readonly shard: ShardId; readonly key: string; readonly value: Uint8Array | undefined }
  | { readonly shard: ShardId; readonly checkpoint: Checkpoint }

/** Keys are strings of one character a byte: they compare as the bytes do. */
class Shard {
  readonly id: ShardId
  checkpoint: Checkpoint | undefined
  sizeBytes = 0
  readonly #rows = new Map<string, Uint8Array>()
  /** In key order; may name rows that are gone. */
  #sorted: string[] = []
  /** Rows made since the last scan; may name rows that are gone or stand in `#sorted` too. */
  #unsorted: string[] = []

  constructor({ table, partition }: ShardId) {
    this.id = { table, partition }
  }

  get isEmpty(): boolean {
    return this.#rows.size === 0 && this.checkpoint === undefined
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key)
  }

  put(key: string, value: Uint8Array): void {
    const before = this.#rows.get(key)
    this.#rows.set(key, value)
    if (before === undefined) {
      this.sizeBytes += key.length + value.length
      this.#unsorted.push(key)
      if (this.#unsorted.length > 2 * this.#rows.size + unsortedSlack) this.#forgetOrder()
    } else {
      this.sizeBytes += value.length - before.length
    }
  }

  delete(key: string): void {
    const before = this.#rows.get(key)
    if (before === undefined) return
    this.#rows.delete(key)
    this.sizeBytes -= key.length + before.length
  }

  scan({ from, to, limit }: StoreRange): StoreRow[] {
    const rows: StoreRow[] = []
    const keys = this.#sort()
    const end = to === undefined ? undefined : textOf(to)
    for (let at = from === undefined ? 0 : firstFrom(keys, textOf(from)); at < keys.length; at++) {
      const key = keys[at] ?? ''
      if (rows.length >= limit || (end !== undefined && key >= end)) break
      const value = this.#rows.get(key)
      if (value !== undefined) rows.push({ key: Buffer.from(key, 'latin1'), value })
    }
    return rows
  }

  clear({ from, to }: { readonly from: Uint8Array; readonly to: Uint8Array }): void {
    const keys = this.#sort()
    const start = firstFrom(keys, textOf(from))
    const end = Math.max(start, firstFrom(keys, textOf(to)))
    for (const key of keys.splice(start, end - start)) this.delete(key)
  }

  /** Keys that come and go between two scans would otherwise pile up in the list of new ones. */
  #forgetOrder(): void {
    this.#sorted = []
    this.#unsorted = [...this.#rows.keys()]
  }

  /**
   * Merges what is new into what is sorted, so that the pages of one scan sort once. Rows that
   * were deleted are dropped on the way.
   */
  #sort(): string[] {
    if (this.#unsorted.length === 0 && this.#sorted.length < 2 * this.#rows.size) {
      return this.#sorted
    }
    const fresh = this.#unsorted.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    const merged: string[] = []
    let next = 0
    const add = (key: string): void => {
      if (key !== merged.at(-1) && this.#rows.has(key)) merged.push(key)
    }
    for (const key of this.#sorted) {
      for (let other = fresh[next]; other !== undefined && other <= key; other = fresh[next]) {
        add(other)
        next += 1
      }
      add(key)
    }
    for (; next < fresh.length; next += 1) add(fresh[next] ?? '')
    this.#sorted = merged
    this.#unsorted = []
    return merged
  }
}

/** New keys held at least before the list is made anew. */
const unsortedSlack = 1024

/** Index of the first key that is not below `bound`. */
function firstFrom(keys: readonly string[], bound: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < bound) low = middle + 1
    else high = middle
  }
  return low
}

function textOf(key: Uint8Array): string {
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  return bytes.toString('latin1')
}
