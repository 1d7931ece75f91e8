// Deletes the state of tasks that moved away, after a while: they often come back.
import { messageOf } from '../core/errors.ts'
import type { Cancel, Clock } from '../port/clock.ts'
import type { ShardId, Store } from '../port/store.ts'
import type { Log } from './log.ts'
import type { OpenTask } from './open-task.ts'

export class StateCleanup {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #afterMs: number
  readonly #due = new Map<string, Cancel>()
  readonly #owned = new Set<string>()
  readonly #wiping = new Map<string, Promise<void>>()

  constructor(parts: { store: Store; clock: Clock; log: Log; afterMs: number }) {
    this.#store = parts.store
    this.#clock = parts.clock
    this.#log = parts.log
    this.#afterMs = parts.afterMs
  }

  /** What an earlier run left in the store, and nobody has claimed yet. */
  async start(): Promise<void> {
    for (const shard of await this.#store.shards()) {
      if (!this.#owned.has(keyOf(shard))) this.#schedule(shard)
    }
  }

  keep(task: OpenTask): void {
    for (const { id } of task.shards) {
      this.#owned.add(keyOf(id))
      this.#due.get(keyOf(id))?.()
      this.#due.delete(keyOf(id))
    }
  }

  /** Resolves when nothing of the task's shards is being deleted any more. */
  async settled(task: OpenTask): Promise<void> {
    for (const { id } of task.shards) await this.#wiping.get(keyOf(id))
  }

  leave(task: OpenTask): void {
    for (const { id } of task.shards) {
      this.#owned.delete(keyOf(id))
      this.#schedule(id)
    }
  }

  stop(): void {
    for (const cancel of this.#due.values()) cancel()
    this.#due.clear()
  }

  #schedule(shard: ShardId): void {
    const key = keyOf(shard)
    this.#due.get(key)?.()
    const cancel = this.#clock.schedule(this.#afterMs, () => {
      this.#due.delete(key)
      const wiping = this.#store.wipe(shard).catch((error: unknown) => {
        this.#log.warn({ shard: key }, `old state could not be deleted: ${messageOf(error)}`)
      })
      this.#wiping.set(
        key,
        wiping.finally(() => this.#wiping.delete(key))
      )
    })
    this.#due.set(key, cancel)
  }
}

function keyOf(shard: ShardId): string {
  return `${shard.table}/${shard.partition}`
}
