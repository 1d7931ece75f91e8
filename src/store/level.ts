// The store on disk: all table shards of a worker in one LevelDB, written a batch at a time.
//
// Writes are not synced: a killed process loses nothing, and a machine that lost power falls back
// to an earlier batch, whose checkpoint says where to read on in the changelog.

import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { TailraceError, brokenInvariant, invariant } from '../core/errors.ts'
import type {
  Checkpoint,
  ShardId,
  Store,
  StoreBatch,
  StoreIdentity,
  StoreRange,
  StoreRow
} from '../port/store.ts'
import { directoryError } from './directory-errors.ts'
import { ShardKeys, checkpointSpace, rowSpace, shardOf } from './level-keys.ts'
import { markDamaged, refuseDamaged } from './level-damage.ts'
import { claimIdentity, parseCheckpoint, serializeCheckpoint } from './level-meta.ts'

/** Where a store on disk lies, and how much memory it takes beside the decoded cache. */
export interface LevelStoreOptions {
  /** Made when it does not exist, for its owner only. */
  readonly directory: string
  /** Bytes of uncompressed blocks kept for reading. @default 32 MiB */
  readonly cacheBytes?: number
  /**
   * Bytes gathered in memory before they become a table file; 64 MiB halve the speed of a restore
   * and lengthen the next open.
   *
   * @default 8 MiB
   */
  readonly memtableBytes?: number
}

/**
 * A store that keeps its shards in `directory` between two starts: one LevelDB, for one process at
 * a time. What `store: 'level'` makes.
 *
 * @example
 * import { createLevelStore } from 'tailrace/store/level'
 * createApp({
 *   id: 'large-cache',
 *   store: ({ directory }) => createLevelStore({ directory, cacheBytes: 256 * 1024 * 1024 })
 * })
 */
export function createLevelStore(options: LevelStoreOptions): Store {
  return new LevelStore(options)
}

const mebibyte = 1024 * 1024
const scanBytesPerRead = mebibyte
const scanRowsPerRead = 10_000

type Database = ClassicLevel<Uint8Array, Uint8Array>

class LevelStore implements Store {
  readonly name = 'level'
  readonly #directory: string
  readonly #cacheBytes: number
  readonly #memtableBytes: number
  readonly #keys = new Map<string, ShardKeys[]>()
  #lastKeys: ShardKeys | undefined
  #db: Database | undefined
  #checkpoints = new Map<ShardKeys, Checkpoint>()
  #lastWrite: Promise<void> = Promise.resolve()
  #beforeWrite: ReadOptions | undefined
  #failure: TailraceError | undefined

  constructor({ directory, cacheBytes, memtableBytes }: LevelStoreOptions) {
    this.#directory = directory
    this.#cacheBytes = cacheBytes ?? 32 * mebibyte
    this.#memtableBytes = memtableBytes ?? 8 * mebibyte
  }

  async open(identity: StoreIdentity): Promise<void> {
    if (this.#db !== undefined) throw brokenInvariant(`store ${this.#directory} is opened twice`)
    // Before LevelDB makes it, with rights for everybody: it opens by itself at the next tick.
    await mkdir(this.#directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw directoryError(error, this.#directory)
    })
    refuseDamaged(this.#directory)
    const db: Database = new ClassicLevel(this.#directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: this.#cacheBytes,
      writeBufferSize: this.#memtableBytes
    })
    try {
      await db.open()
      await claimIdentity(db, { identity, directory: this.#directory })
      this.#checkpoints = await this.#readCheckpoints(db)
    } catch (error) {
      await db.close()
      throw directoryError(error, this.#directory)
    }
    this.#failure = undefined
    this.#db = db
  }

  get(shard: ShardId, key: Uint8Array): Uint8Array | undefined {
    const db = this.#open()
    const rowKey = this.#keysOf(shard).row(key)
    const beforeWrite = this.#beforeWrite
    try {
      return beforeWrite === undefined ? db.getSync(rowKey) : db.getSync(rowKey, beforeWrite)
    } catch (error) {
      throw this.#told(error)
    }
  }

  async scan(shard: ShardId, { from, to, limit }: StoreRange): Promise<readonly StoreRow[]> {
    const keys = this.#keysOf(shard)
    const iterator = this.#open().iterator({
      gte: from === undefined ? keys.rows.gte : keys.rowCopy(from),
      lt: to === undefined ? keys.rows.lt : keys.rowCopy(to),
      highWaterMarkBytes: scanBytesPerRead
    })
    const rows: StoreRow[] = []
    try {
      while (rows.length < limit) {
        const entries = await iterator.nextv(Math.min(limit - rows.length, scanRowsPerRead))
        if (entries.length === 0) break
        for (const [key, value] of entries) rows.push({ key: keys.userKey(key), value })
      }
    } catch (error) {
      throw this.#told(error)
    } finally {
      await iterator.close()
    }
    return rows
  }

  batch(): StoreBatch {
    const db = this.#open()
    const chained = db.batch()
    const checkpoints = new Map<ShardKeys, Checkpoint>()
    let isWritten = false
    const keysOf = (shard: ShardId): ShardKeys => {
      invariant(!isWritten, 'a store batch is used once')
      return this.#keysOf(shard)
    }
    return {
      put: (shard, key, value) => {
        chained.put(keysOf(shard).row(key), value)
      },
      delete: (shard, key) => {
        chained.del(keysOf(shard).row(key))
      },
      checkpoint: (shard, checkpoint) => {
        const keys = keysOf(shard)
        checkpoints.set(keys, { ...checkpoint })
        chained.put(keys.checkpoint, serializeCheckpoint(checkpoint))
      },
      write: async () => {
        invariant(!isWritten && this.#db === db, 'a store batch is used once, while it is open')
        isWritten = true
        await this.#inOrder(() => this.#write(db, { chained, checkpoints }))
      }
    }
  }

  checkpoint(shard: ShardId): Checkpoint | undefined {
    this.#open()
    return this.#checkpoints.get(this.#keysOf(shard))
  }

  async shards(): Promise<readonly ShardId[]> {
    const found = new Set(this.#checkpoints.keys())
    const iterator = this.#open().iterator({ ...rowSpace, values: false })
    try {
      // From the first row of a shard straight to the first row behind it.
      for (let entry = await iterator.next(); entry !== undefined; entry = await iterator.next()) {
        const keys = this.#keysOf(this.#parseShard(entry[0]))
        found.add(keys)
        iterator.seek(keys.rows.lt)
      }
    } catch (error) {
      throw this.#told(error)
    } finally {
      await iterator.close()
    }
    return [...found].map((keys) => keys.shard)
  }

  async wipe(shard: ShardId): Promise<void> {
    const db = this.#open()
    const keys = this.#keysOf(shard)
    await this.#inOrder(async () => {
      if (this.#checkpoints.delete(keys)) await db.del(keys.checkpoint, { sync: true })
      await db.clear(keys.rows)
    })
  }

  /**
   * LevelDB removes in slices of 16 KB of keys, each a write of its own, so batches are not held
   * up. Rows written to the range meanwhile may go or stay.
   */
  async clear(
    shard: ShardId,
    { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array }
  ): Promise<void> {
    const db = this.#open()
    const keys = this.#keysOf(shard)
    await this.#lastWrite
    if (this.#failure !== undefined) throw this.#failure
    try {
      await db.clear({ gte: keys.rowCopy(from), lt: keys.rowCopy(to) })
    } catch (error) {
      throw this.#fail(error)
    }
  }

  async sizeBytes(): Promise<number> {
    const sizes = (await readdir(this.#directory)).map(async (file) => {
      // A compaction may have removed it since the listing.
      const found = await stat(join(this.#directory, file)).catch(() => undefined)
      return found?.size ?? 0
    })
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  }

  async close(): Promise<void> {
    const db = this.#db
    this.#db = undefined
    await this.#lastWrite
    await db?.close()
    this.#checkpoints.clear()
  }

  #open(): Database {
    if (this.#db === undefined) {
      throw brokenInvariant(`store ${this.#directory} is used while it is not open`)
    }
    return this.#db
  }

  #keysOf(shard: ShardId): ShardKeys {
    // Runs of one shard are the rule: a batch of a commit, a page of a restore.
    const last = this.#lastKeys
    if (last?.shard.partition === shard.partition && last.shard.table === shard.table) return last
    let partitions = this.#keys.get(shard.table)
    if (partitions === undefined) this.#keys.set(shard.table, (partitions = []))
    const keys = (partitions[shard.partition] ??= new ShardKeys(shard))
    this.#lastKeys = keys
    return keys
  }

  /**
   * One write after the other: libuv's threads would otherwise let a later batch overtake, and a
   * crash between the two would leave a checkpoint without its rows. After a failure nothing more
   * is written: LevelDB's log may end in a torn record, and what follows it could be lost alone.
   */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#lastWrite.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        await work()
      } catch (error) {
        throw this.#fail(error)
      }
    })
    this.#lastWrite = done.catch(() => undefined)
    return done
  }

  #fail(error: unknown): TailraceError {
    this.#failure = this.#told(error)
    return this.#failure
  }

  // LevelDB opens what it cannot read whole: damage met once is remembered for the next start.
  #told(error: unknown): TailraceError {
    const told = directoryError(error, this.#directory)
    if (told.code === 'TAILRACE_STATE_CORRUPT') markDamaged(this.#directory)
    return told
  }

  /** Until it resolves `get` reads the state before it, by a snapshot: 2 µs a batch. */
  async #write(db: Database, { chained, checkpoints }: Written): Promise<void> {
    const snapshot = db.snapshot()
    this.#beforeWrite = { snapshot, keyEncoding: 'view', valueEncoding: 'view' }
    try {
      await chained.write()
      for (const [keys, checkpoint] of checkpoints) this.#checkpoints.set(keys, checkpoint)
    } finally {
      this.#beforeWrite = undefined
      await snapshot.close()
    }
  }

  async #readCheckpoints(db: Database): Promise<Map<ShardKeys, Checkpoint>> {
    const checkpoints = new Map<ShardKeys, Checkpoint>()
    for (const [key, value] of await db.iterator(checkpointSpace).all()) {
      const shard = this.#parseShard(key)
      const checkpoint = parseCheckpoint(value)
      if (checkpoint === undefined) throw this.#unreadable(`checkpoint of ${shard.table}`)
      checkpoints.set(this.#keysOf(shard), checkpoint)
    }
    return checkpoints
  }

  #parseShard(key: Uint8Array): ShardId {
    const shard = shardOf(key)
    if (shard === undefined) throw this.#unreadable('key of a row or checkpoint')
    return shard
  }

  #unreadable(what: string): TailraceError {
    return new TailraceError(
      'TAILRACE_STATE_CORRUPT',
      `The ${what} in the store ${this.#directory} is not in the form this version writes.`,
      { hint: `Delete ${this.#directory}: it is rebuilt from the changelogs.` }
    )
  }
}

interface Written {
  readonly chained: ReturnType<Database['batch']>
  readonly checkpoints: ReadonlyMap<ShardKeys, Checkpoint>
}

interface ReadOptions {
  readonly snapshot: ReturnType<Database['snapshot']>
  readonly keyEncoding: 'view'
  readonly valueEncoding: 'view'
}
