// A table store that outlives the worker that used it, as a disk outlives its process.
import type { ShardId, Store, StoreBatch, StoreIdentity, StoreRange } from '../port/store.ts'
import type { StoreRow } from '../port/store.ts'
import { createMemoryStore } from '../store/memory.ts'

/** Waits as long as the disk takes for one operation. */
export type DiskDelay = (operation: 'write' | 'scan' | 'wipe' | 'clear') => Promise<void>

/** What a disk holds: connect one worker at a time. */
export class TestDisk {
  readonly #store: Store = createMemoryStore()
  #isOpen = false

  /** The store as one process sees it. */
  connect(delay: DiskDelay = () => Promise.resolve()): TestStore {
    return new TestStore(this.#store, delay, () => this.#open())
  }

  async #open(): Promise<void> {
    if (this.#isOpen) return
    this.#isOpen = true
    await this.#store.open({ app: '' })
  }
}

/** The store of one worker on a test disk. */
export class TestStore implements Store {
  readonly name = 'memory'
  readonly #store: Store
  readonly #delay: DiskDelay
  readonly #openDisk: () => Promise<void>
  #isDead = false

  constructor(store: Store, delay: DiskDelay, openDisk: () => Promise<void>) {
    this.#store = store
    this.#delay = delay
    this.#openDisk = openDisk
  }

  /** As kill -9 would: what was not written yet never is, and nobody is told. */
  kill(): void {
    this.#isDead = true
  }

  open(_identity: StoreIdentity): Promise<void> {
    return this.#openDisk()
  }

  get(shard: ShardId, key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(shard, key)
  }

  async scan(shard: ShardId, range: StoreRange): Promise<readonly StoreRow[]> {
    await this.#wait('scan')
    return this.#store.scan(shard, range)
  }

  batch(): StoreBatch {
    const batch = this.#store.batch()
    return {
      put: (shard, key, value) => batch.put(shard, key, value),
      delete: (shard, key) => batch.delete(shard, key),
      checkpoint: (shard, checkpoint) => batch.checkpoint(shard, checkpoint),
      write: async () => {
        await this.#wait('write')
        await batch.write()
        await this.#wait('write')
      }
    }
  }

  checkpoint(shard: ShardId): ReturnType<Store['checkpoint']> {
    return this.#store.checkpoint(shard)
  }

  shards(): Promise<readonly ShardId[]> {
    return this.#store.shards()
  }

  async wipe(shard: ShardId): Promise<void> {
    await this.#wait('wipe')
    await this.#store.wipe(shard)
  }

  async clear(
    shard: ShardId,
    range: { readonly from: Uint8Array; readonly to: Uint8Array }
  ): Promise<void> {
    await this.#wait('clear')
    await this.#store.clear(shard, range)
  }

  sizeBytes(): Promise<number> {
    return this.#store.sizeBytes()
  }

  /** The disk stays as it is, for the next process. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  async #wait(operation: Parameters<DiskDelay>[0]): Promise<void> {
    await this.#delay(operation)
    if (this.#isDead) await new Promise(() => undefined)
  }
}
