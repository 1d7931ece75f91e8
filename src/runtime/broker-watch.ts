// How long the log has not answered: by the heartbeats, which go on whatever else there is to do.
import { formatDuration } from '../core/duration.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'

export class BrokerWatch {
  readonly #clock: Clock
  #away: { readonly sinceMs: number; readonly error: unknown } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  failed(error: unknown): void {
    this.#away ??= { sinceMs: this.#clock.monotonic(), error }
  }

  answered(): void {
    this.#away = undefined
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
