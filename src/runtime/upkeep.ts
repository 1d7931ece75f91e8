// What is due now and then, between commits: expired windows, read repartition records.
import { windowBound, windowStartOf } from './changelog.ts'
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
/** Rows of expired windows that one commit deletes, of all tables together. */
const expireRowsMax = 5_000
const zero = Buffer.alloc(1)

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
        await this.#expire(tasks)
      }
      if (now >= this.#purgeDueMs) {
        this.#purgeDueMs = now + purgeEveryMs
        for (const task of tasks) await this.#purge(task)
      }
    } catch (error) {
      this.#parts.log.warn({ err: error }, `upkeep failed, and is tried again: ${messageOf(error)}`)
    }
  }

  // In slices, since whole windows may hold more rows than a commit should wait for. What is left
  // is hidden already, and goes with the next commits. Judged by committed time: after a crash,
  // records that were not committed read these windows again.
  async #expire(tasks: readonly OpenTask[]): Promise<void> {
    let rowsLeft = expireRowsMax
    const shards = tasks.flatMap((task) => {
      return task.shards.map((shard) => ({ shard, horizon: shard.horizon(task.committedTime) }))
    })
    for (const { horizon, shard } of shards) {
      if (!Number.isFinite(horizon)) continue
      rowsLeft -= shard.cache.forgetBefore(horizon, rowsLeft)
      if (rowsLeft > 0) rowsLeft -= await this.#clear(shard, horizon, rowsLeft)
      if (rowsLeft > 0) continue
      this.#expireDueMs = this.#parts.clock.monotonic()
      return
    }
  }

  /** Deletes so many of the oldest rows at most; says how many. */
  async #clear(shard: Shard, horizon: number, rowsMax: number): Promise<number> {
    const { storedWindows } = shard
    if (storedWindows === undefined) return 0
    let oldest = Number.POSITIVE_INFINITY
    for (const start of storedWindows) oldest = Math.min(oldest, start)
    if (oldest >= horizon) return 0
    const { store } = this.#parts
    // Not from the beginning: what earlier slices deleted there would be walked over each time.
    const [from, to] = [windowBound(oldest), windowBound(horizon)]
    const rows = await store.scan(shard.id, { from, to, limit: rowsMax })
    const last = rows.at(-1)
    const isAll = last === undefined || rows.length < rowsMax
    await store.clear(shard.id, { from, to: isAll ? to : Buffer.concat([last.key, zero]) })
    const before = isAll ? horizon : windowStartOf(last.key)
    for (const start of [...storedWindows]) if (start < before) storedWindows.delete(start)
    return rows.length
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
