// A store of the real kind with a window in it: what is asked of it is seen, and can be held up.
import type { ShardId, Store, StoreBatch, StoreRange } from 'tailrace'
import { createLevelStore } from 'tailrace/store/level'

export interface Watch {
  /** Awaited before a batch is written; a rejection is what the disk answers. */
  beforeWrite?: () => Promise<void>
  /** Awaited before a range of expired rows is deleted: how many there are. */
  onClear?: (rows: number) => Promise<void>
  /** Told of each row that is read. */
  onGet?: (shard: ShardId) => void
}

/** Counts the rows of a range, and no more than so many. */
const countMax = 100_000

export function watchedStore(directory: string, watch: Watch): Store {
  const inner = createLevelStore({ directory })
  return {
    name: inner.name,
    open: (identity) => inner.open(identity),
    get: (shard, key) => {
      watch.onGet?.(shard)
      return inner.get(shard, key)
    },
    scan: (shard: ShardId, range: StoreRange) => inner.scan(shard, range),
    batch: () => watchedBatch(inner.batch(), watch),
    checkpoint: (shard) => inner.checkpoint(shard),
    shards: () => inner.shards(),
    wipe: (shard) => inner.wipe(shard),
    clear: async (shard, range) => {
      const rows = await inner.scan(shard, { ...range, limit: countMax })
      await watch.onClear?.(rows.length)
      await inner.clear(shard, range)
    },
    sizeBytes: () => inner.sizeBytes(),
    close: () => inner.close()
  }
}

function watchedBatch(inner: StoreBatch, watch: Watch): StoreBatch {
  return {
    put: (shard, key, value) => inner.put(shard, key, value),
    delete: (shard, key) => inner.delete(shard, key),
    checkpoint: (shard, checkpoint) => inner.checkpoint(shard, checkpoint),
    write: async () => {
      await watch.beforeWrite?.()
      await inner.write()
    }
  }
}
