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
/** Rows of expired windows that are forgotten between two commits, unless one window has more. */
const forgetRowsMax = 100_000

interface Clear {
  readonly shard: Shard
  /** Start of an expired window that the store has rows of. */
  readonly start: number
}

const noWindows: ReadonlySet<number> = new Set()

export class Upkeep {
  readonly #parts: UpkeepParts
  #purgeDueMs: number
  #expireDueMs: number
  #clearing: Promise<void> | undefined
  #isPurging = false
  #isOver = false

  constructor(parts: UpkeepParts) {
    this.#parts = parts
    const now = parts.clock.monotonic()
    this.#purgeDueMs = now + purgeEveryMs
    this.#expireDueMs = now + expireEveryMs
  }

  /** Nothing of this is urgent, and none of it may fail a commit or hold up the next. */
  afterCommit(tasks: readonly OpenTask[]): void {
    this.#parts.budget.makeRoom()
    const now = this.#parts.clock.monotonic()
    if (now >= this.#expireDueMs && this.#clearing === undefined) {
      this.#expireDueMs = now + expireEveryMs
      this.#expire(tasks)
    }
    if (now < this.#purgeDueMs || this.#isPurging) return
    this.#purgeDueMs = now + purgeEveryMs
    void this.#purgeAll(tasks)
  }

  /** Ends this; resolves when nothing of it uses the store any more. */
  async settled(): Promise<void> {
    this.#isOver = true
    await this.#clearing
  }

  // Reads hide expired rows, so nobody waits for this. Judged by committed time: after a crash,
  // records that were not committed read these windows again. Nothing is written to them any more.
  #expire(tasks: readonly OpenTask[]): void {
    let rowsLeft = forgetRowsMax
    const clears: Clear[] = []
    for (const task of tasks) {
      for (const shard of task.shards) {
        const horizon = shard.horizon(task.committedTime)
        if (!Number.isFinite(horizon)) continue
        rowsLeft -= shard.cache.forgetBefore(horizon, rowsLeft)
        for (const start of shard.storedWindows ?? noWindows) {
          if (start < horizon) clears.push({ shard, start })
        }
      }
    }
    if (rowsLeft <= 0) this.#expireDueMs = this.#parts.clock.monotonic()
    if (clears.length === 0) return
    this.#clearing = this.#clear(clears)
      .catch((error: unknown) => this.#warn(error))
      .finally(() => {
        this.#clearing = undefined
      })
  }

  // Window by window: a range that began at the first one would walk over what is deleted already.
  async #clear(clears: readonly Clear[]): Promise<void> {
    for (const { shard, start } of clears) {
      const range = { from: windowBound(start), to: windowBound(start + 1) }
      await this.#parts.store.clear(shard.id, range)
      shard.storedWindows?.delete(start)
    }
  }

  #warn(error: unknown): void {
    this.#parts.log.warn({ err: error }, `upkeep failed, and is tried again: ${messageOf(error)}`)
  }

  // One after the other: replicas answer each when they next fetch, half a second later or more.
  async #purgeAll(tasks: readonly OpenTask[]): Promise<void> {
    this.#isPurging = true
    try {
      for (const task of tasks) if (!this.#isOver) await this.#purge(task)
    } catch (error) {
      if (!this.#isOver) this.#warn(error)
    }
    this.#isPurging = false
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
