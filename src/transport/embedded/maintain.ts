// What the log does in its own time: retention, compaction, bringing sealed bytes to the disk.

import { randomUUID } from 'node:crypto'
import { messageOf } from '../../core/errors.ts'
import type { Cancel } from '../../port/clock.ts'
import { systemMonotonicMs } from './boot.ts'
import type { Topic } from './catalog.ts'
import { isCompacted } from './catalog.ts'
import { compact, isCompactionDue } from './compaction.ts'
import { integer } from './database.ts'
import { isMissing } from './failure.ts'
import type { Log } from './log.ts'
import { retain, rollActive } from './retention.ts'
import { syncFile, type SegmentId } from './segments.ts'
import { partitionState } from './locate.ts'

/** How often each process looks whether something is due. */
const everyMs = 10_000
/** For how long one process keeps others from doing the same work; it says so again as it goes. */
const leaseMs = 60_000

export class Maintenance {
  readonly #log: Log
  readonly #token = randomUUID()
  #cancel: Cancel | undefined
  #running: Promise<void> = Promise.resolve()
  #isStopped = false
  readonly #onError: (error: unknown) => void
  /** What failed last time: told once, and again when it has been well in between. */
  #failure: string | undefined

  constructor(log: Log, onError: (error: unknown) => void) {
    this.#log = log
    this.#onError = onError
  }

  start(): void {
    this.#cancel = this.#log.clock.schedule(everyMs, () => {
      const pass = this.#queue(() => this.#passIfMine())
      // Nobody waits for this pass, and the next one comes.
      void pass
        .then(
          () => (this.#failure = undefined),
          (error: unknown) => this.#tell(error)
        )
        .finally(() => {
          if (!this.#isStopped) this.start()
        })
    })
  }

  #tell(error: unknown): void {
    const failure = messageOf(error)
    if (this.#isStopped || failure === this.#failure) return
    this.#failure = failure
    this.#onError(error)
  }

  /** Everything that can be deleted or compacted, at once. */
  async runNow(): Promise<void> {
    await this.#queue(() => this.#pass({ isForced: true }))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel?.()
    await this.#running
  }

  #queue(run: () => Promise<void>): Promise<void> {
    const pass = this.#running.then(run)
    this.#running = pass.catch(() => {})
    return pass
  }

  async #passIfMine(): Promise<void> {
    if (this.#isStopped) return
    this.#log.segments.releaseUnlinked()
    if (await this.#takeLease()) await this.#pass({ isForced: false })
  }

  async #pass({ isForced }: { readonly isForced: boolean }): Promise<void> {
    const { catalog, database } = this.#log
    await database.attempt(() => catalog.refresh())
    for (const topic of [...catalog.all()]) {
      if (this.#isStopped) return
      await retain(this.#log, topic)
      if (isCompacted(topic.settings)) await this.#compact(topic, isForced)
    }
    if (!isForced) await this.#syncSealed()
  }

  async #compact(topic: Topic, isForced: boolean): Promise<void> {
    const { database } = this.#log
    for (const id of topic.partitionIds) {
      if (this.#isStopped) return
      if (isForced) await this.#seal(id)
      else if (!(await database.attempt(() => isCompactionDue(database, id)))) continue
      try {
        await compact(this.#log, { topic, id, goesOn: () => !this.#isStopped })
      } catch (error) {
        // Retention or another cleaner took a source away: the next pass finds what is left.
        if (!isMissing(error)) throw error
      }
      if (!isForced) await this.#takeLease()
    }
  }

  async #seal(id: number): Promise<void> {
    const { database } = this.#log
    const position = await database.attempt(() => partitionState(database, id)?.position ?? 0)
    if (position === 0) return
    await database.transaction(() => {
      if (partitionState(database, id) !== undefined) rollActive(this.#log, id)
    })
  }

  /** Only saves double work: every step checks for itself what it replaces. */
  async #takeLease(): Promise<boolean> {
    const { database } = this.#log
    const now = systemMonotonicMs()
    const isFree = (): boolean => {
      const row = database.get(`SELECT value FROM meta WHERE key = 'lease'`)
      const [token, until] = String(row?.['value'] ?? '').split(' ')
      // Later than any lease can be: taken before the machine was started anew.
      const left = Number(until ?? 0) - now
      return token === this.#token || left <= 0 || left > leaseMs
    }
    if (!(await database.attempt(isFree))) return false
    return database.transaction(() => {
      if (!isFree()) return false
      const set = `INSERT INTO meta VALUES ('lease', ?)
        ON CONFLICT DO UPDATE SET value = excluded.value`
      database.run(set, `${this.#token} ${now + leaseMs}`)
      return true
    })
  }

  /** Sealed segments do not change: once on the disk, a power cut has nothing to verify in them. */
  async #syncSealed(): Promise<void> {
    const { database, segments } = this.#log
    const rows = await database.attempt(() =>
      database.all(`
        SELECT partition, base, generation FROM segment
        WHERE is_synced = 0 AND next IS NOT NULL`)
    )
    if (rows.length > 0) segments.syncDirectory()
    for (const row of rows) {
      if (this.#isStopped) return
      const segment: SegmentId = {
        partition: integer(row, 'partition'),
        base: integer(row, 'base'),
        generation: integer(row, 'generation')
      }
      if (!(await isSynced(segments.path(segment)))) continue
      const { partition, base, generation } = segment
      const set = `UPDATE segment SET is_synced = 1
        WHERE partition = ? AND base = ? AND generation = ?`
      await database.transaction(() => database.run(set, partition, base, generation))
    }
  }
}

/** False when it was deleted or compacted since. */
async function isSynced(path: string): Promise<boolean> {
  try {
    await syncFile(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
