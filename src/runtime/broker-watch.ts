// How long the log has not answered: by the heartbeats, which go on whatever else there is to do.
import { formatDuration } from '../core/duration.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'
import type { Log } from './log.ts'

interface Absence {
  readonly sinceMs: number
  readonly error: unknown
  /** How long it lasts when it is told next. */
  tellAfterMs: number
}

/** A log that stays away is told of at once, and then ever more seldom. */
const tellMs = { first: 5_000, growth: 2 }

export class BrokerWatch {
  readonly #clock: Clock
  #away: Absence | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True when this failure is to be told; `silentMs` is how long nothing had come by then. */
  failed(error: unknown, silentMs = 0): boolean {
    if (this.#away === undefined) {
      const sinceMs = this.#clock.monotonic() - silentMs
      this.#away = { sinceMs, error, tellAfterMs: tellMs.first + silentMs }
      return true
    }
    if (this.#awayMs() < this.#away.tellAfterMs) return false
    this.#away.tellAfterMs *= tellMs.growth
    return true
  }

  /** How long the log was away, if it was. */
  answered(): number | undefined {
    if (this.#away === undefined) return undefined
    const awayMs = this.#awayMs()
    this.#away = undefined
    return awayMs
  }

  /** Why a worker cannot be ready; undefined while the log answers. */
  get reason(): string | undefined {
    if (this.#away === undefined) return undefined
    return `the broker has not answered for ${formatDuration(this.#awayMs())}`
  }

  /** What ends a worker whose log is away for longer than this; undefined until then. */
  beyond(limitMs: number): TailraceError | undefined {
    if (this.#away === undefined || this.#awayMs() < limitMs) return undefined
    const { error } = this.#away
    return new TailraceError(
      'TAILRACE_TRANSPORT_UNAVAILABLE',
      `the broker has not answered for brokerTimeout (${formatDuration(limitMs)}): ` +
        messageOf(error),
      { cause: error }
    )
  }

  #awayMs(): number {
    return this.#away === undefined ? 0 : Math.round(this.#clock.monotonic() - this.#away.sinceMs)
  }
}

export interface ToldFailure {
  readonly error: unknown
  readonly log: Log
  /** What does not come about, for the log line: `the group cannot be asked`. */
  readonly what: string
  readonly silentMs?: number
}

/** Counts a failure, and says it unless that was said a moment ago. */
export function tellFailure(watch: BrokerWatch, { error, log, silentMs, what }: ToldFailure): void {
  if (!watch.failed(error, silentMs)) return
  log.warn({ err: error }, `${what}: ${messageOf(error)}`)
}

/** The log is there; says so where it was away. */
export function tellAnswer(watch: BrokerWatch, log: Log): void {
  const awayMs = watch.answered()
  if (awayMs === undefined) return
  log.info({ awayMs }, `the broker answers again, after ${formatDuration(awayMs)}`)
}
