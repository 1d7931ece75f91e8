// What is due now and then, between commits: expired windows, read repartition records.
import { windowBound } from './changelog.ts'
import { messageOf } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'
import type { Store } from '../port/store.ts'
import type { Admin } from '../port/transport.ts'
import type { CacheBudget } from './cache.ts'
import type { Log } from './log.ts'
import type { OpenTask } from './open-task.ts'
import type { Shard } from './shard.ts'

export interface UpkeepParts {
  readonly store: Store
  readonly admin: Admin
  readonly clock: Clock
  readonly log: Log
  readonly budget: CacheBudget
  /** Names of the app's own repartition topics. */
  readonly repartitions: ReadonlySet<string>
}

const purgeEveryMs = 30_000
const expireEveryMs = 1_000

export class Upkeep {
  readonly #parts: UpkeepParts
  #purgeDueMs: number
  #expireDueMs: number

  constructor(parts: UpkeepParts) {
    this.#parts = parts
    const now = parts.clock.monotonic()
    this.#purgeDueMs = now + purgeEveryMs
    this.#expireDueMs = now + expireEveryMs
  }

  /** Nothing of this is urgent, and none of it may fail a commit. */
  async afterCommit(tasks: readonly OpenTask[]): Promise<void> {
    this.#parts.budget.shrink()
    const now = this.#parts.clock.monotonic()
    try {
      if (now >= this.#expireDueMs) {
        this.#expireDueMs = now + expireEveryMs
        for (const task of tasks) await this.#expire(task)
      }
      if (now >= this.#purgeDueMs) {
        this.#purgeDueMs = now + purgeEveryMs
        for (const task of tasks) await this.#purge(task)
      }
    } catch (error) {
      this.#parts.log.warn({ err: error }, `upkeep failed, and is tried again: ${messageOf(error)}`)
    }
  }

  async #expire(task: OpenTask): Promise<void> {
    for (const shard of task.shards) {
      const horizon = shard.horizon(task.run.time.finished)
      if (!Number.isFinite(horizon)) continue
      await this.#expireShard(shard, horizon)
    }
  }

  async #expireShard(shard: Shard, horizon: number): Promise<void> {
    const { storedWindows } = shard
    const expired = [...(storedWindows ?? [])].filter((start) => start < horizon)
    shard.cache.forgetBefore(horizon)
    if (expired.length === 0) return
    const range = { from: windowBound(Number.NEGATIVE_INFINITY), to: windowBound(horizon) }
    await this.#parts.store.clear(shard.id, range)
    for (const start of expired) storedWindows?.delete(start)
  }

  // A repartition topic keeps everything until it was read: what is committed can go.
  async #purge(task: OpenTask): Promise<void> {
    for (const queue of task.run.queues) {
      const before = task.committed.get(queue.topic)
      if (before === undefined || !this.#parts.repartitions.has(queue.topic)) continue
      await this.#parts.admin.deleteRecords(queue, before)
    }
  }
}
