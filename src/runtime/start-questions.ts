// What a start asks of a log that has been reached before: asked again while it is away, which is
// said, keeps the worker from being ready, and has the same limit as anywhere else.
import { hasCode, TailraceError } from '../core/errors.ts'
import { type Clock, pause } from '../port/clock.ts'
import { type BrokerWatch, tellAnswer, tellFailure } from './broker-watch.ts'
import type { Log } from './log.ts'

export interface QuestionParts {
  readonly clock: Clock
  readonly watch: BrokerWatch
  readonly log: Log
  /** How long the log may be away. */
  readonly limitMs: number
  /** The worker is told to stop: nobody waits for an answer any more. */
  readonly signal: AbortSignal
}

const againMs = 500
const lookMs = 250
/** A transport tries again by itself first; what takes it longer than this is worth a line. */
const quietMs = 5_000

export class StartQuestions {
  readonly #parts: QuestionParts

  constructor(parts: QuestionParts) {
    this.#parts = parts
  }

  /** The answer; rejects with what waiting cannot mend, at the limit, and at the signal. */
  async ask<T>(what: string, question: () => Promise<T>): Promise<T> {
    const { clock, log, signal, watch } = this.#parts
    for (;;) {
      try {
        const answer = await this.#answer(what, question())
        tellAnswer(watch, log)
        return answer
      } catch (error) {
        const isPassing = hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')
        if (!isPassing || signal.aborted) throw error
        tellFailure(watch, { error, log, what })
        const gone = this.#gone()
        if (gone !== undefined) throw gone
      }
      await pause(clock, againMs, signal)
    }
  }

  // Whether or not the transport has given up: a stop and the limit do not wait for that.
  async #answer<T>(what: string, answering: Promise<T>): Promise<T> {
    const { clock, log, signal, watch } = this.#parts
    const cut = Promise.withResolvers<never>()
    const stop = (): void => cut.reject(unanswered(what))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    let silentMs = 0
    let lookedMs = clock.monotonic()
    const look = (): void => {
      const now = clock.monotonic()
      // Time in which this loop was blocked says nothing: what came meanwhile was not read yet.
      silentMs += Math.min(now - lookedMs, 2 * lookMs)
      lookedMs = now
      if (silentMs >= quietMs) tellFailure(watch, { error: unanswered(what), log, what, silentMs })
      const gone = this.#gone()
      if (gone === undefined) cancel = clock.schedule(lookMs, look)
      else cut.reject(gone)
    }
    let cancel = clock.schedule(lookMs, look)
    try {
      return await Promise.race([answering, cut.promise])
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
      // What it comes to when nobody waits for it any more.
      answering.catch(() => undefined)
    }
  }

  #gone(): TailraceError | undefined {
    return this.#parts.watch.beyond(this.#parts.limitMs)
  }
}

function unanswered(what: string): TailraceError {
  return new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', `${what}: no answer has come yet`)
}
