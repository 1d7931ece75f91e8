// The one place that writes records: jobs of one event-loop turn share a transaction.

import type { TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { failpoint } from '../../port/failpoint.ts'
import type { Catalog } from './catalog.ts'
import type { Database } from './database.ts'
import { closedError } from './database.ts'
import { failureOf } from './failure.ts'
import type { SegmentFiles } from './segments.ts'
import type { PendingBatch } from './tails.ts'
import { Tails } from './tails.ts'
import type { Wakeup } from './wake.ts'

/** Work for one transaction. `prepare` and `apply` run under the lock. */
export interface WriteJob {
  /**
   * Checks, and hands over what to write. A job that throws here is left out alone: nothing of
   * any job has been written by then.
   */
  prepare(): readonly PendingBatch[]
  /** Further rows, once its batches have their offsets. */
  apply(): void
  done(): void
  failed(error: TailraceError): void
}

export interface WriterOptions {
  readonly directory: string
  readonly clock: Clock
  readonly database: Database
  readonly catalog: Catalog
  readonly segments: SegmentFiles
  readonly wakeup: Wakeup
  readonly leaderEpoch: number
  readonly isFull: boolean
}

/** Bytes after which further jobs wait for the next transaction, since this one has the lock. */
export const transactionBytesMax: number = 4 * 1024 * 1024

interface Round {
  readonly accepted: { readonly job: WriteJob; readonly batches: readonly PendingBatch[] }[]
  readonly refused: { readonly job: WriteJob; readonly error: unknown }[]
}

export class Writer {
  readonly #options: WriterOptions
  readonly #queue: WriteJob[] = []
  #flushing: Promise<void> | undefined
  #isClosed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Takes part in a transaction that begins after this turn of the event loop. */
  submit(job: WriteJob): void {
    if (this.#isClosed) {
      job.failed(closedError(this.#options.directory))
      return
    }
    this.#queue.push(job)
    this.#flushing ??= this.#flush()
  }

  /** Settles everything submitted so far; refuses what comes later. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#flushing
  }

  async #flush(): Promise<void> {
    do {
      // Jobs of this turn gather, and between two transactions others have theirs.
      await this.#options.clock.turn()
      await this.#commit()
    } while (this.#queue.length > 0)
    this.#flushing = undefined
  }

  async #commit(): Promise<void> {
    const { database, wakeup } = this.#options
    const round: Round = { accepted: [], refused: [] }
    try {
      await database.transaction(() => this.#write(round))
    } catch (error) {
      this.#fail(round, error)
      return
    }
    if (round.accepted.length > 0) {
      failpoint('embedded.write.committed')
      wakeup.nudge()
    }
    this.#refuse(round)
    for (const { job } of round.accepted) job.done()
  }

  #write({ accepted, refused }: Round): void {
    const { catalog } = this.#options
    catalog.refresh()
    let bytes = 0
    while (bytes < transactionBytesMax) {
      const job = this.#queue.shift()
      if (job === undefined) break
      try {
        const batches = job.prepare()
        for (const batch of batches) {
          catalog.partitionId(batch)
          bytes += batch.bytes.length
        }
        accepted.push({ job, batches })
      } catch (error) {
        refused.push({ job, error })
      }
    }
    const tails = new Tails(this.#options)
    for (const { job, batches } of accepted) {
      for (const batch of batches) {
        const segmentBytes = catalog.topic(batch.topic)?.segmentBytes ?? 0
        tails.place(catalog.partitionId(batch), batch, segmentBytes)
      }
      job.apply()
    }
    tails.writeOut()
    if (accepted.length > 0) failpoint('embedded.write.bytes')
  }

  #fail(round: Round, error: unknown): void {
    // What was written lies beyond the committed ends. Files made for it may be made again by
    // another process under the same name: no descriptor of them may be kept.
    this.#options.segments.close()
    const failure = this.#failureOf(error)
    const { accepted, refused } = round
    // Without any taken the lock was never had: those who wait share the failure.
    const waiting = accepted.length + refused.length === 0 ? this.#queue.splice(0) : []
    this.#refuse(round)
    for (const { job } of accepted) job.failed(failure)
    for (const job of waiting) job.failed(failure)
  }

  #refuse({ refused }: Round): void {
    for (const { job, error } of refused) job.failed(this.#failureOf(error))
  }

  #failureOf(error: unknown): TailraceError {
    const { directory } = this.#options
    return failureOf(error, { verb: 'written', directory, isDefinite: true })
  }
}
