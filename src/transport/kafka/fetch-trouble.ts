// How long something has failed: when to try again, and when it is worth an error.

import { hasCode } from '../../core/errors.ts'
import { KafkaFailure } from './protocol-failure.ts'

const backOffMs = { first: 50, max: 1_000 } as const
/** A leader that moves or a broker that restarts is over by then, and nobody need hear of it. */
export const quietMs = 5_000

/** What is to be said, and for how long it has been so. */
export interface Due {
  readonly error: unknown
  readonly lastsMs: number
  /** Waiting may mend it. */
  readonly isPassing: boolean
}

export class FetchTrouble {
  #error: unknown
  #since = 0
  #count = 0
  #retryAt = 0
  #sayAt = 0

  get retryAt(): number | undefined {
    return this.#count === 0 ? undefined : this.#retryAt
  }

  isWaiting(now: number): boolean {
    return this.#count > 0 && now < this.#retryAt
  }

  failed(error: unknown, now: number): void {
    if (this.#count === 0) {
      this.#since = now
      this.#sayAt = now + quietMs
    }
    // What no waiting mends is said at once, each time.
    if (!isPassing(error)) this.#sayAt = now
    const delayMs = Math.min(backOffMs.max, backOffMs.first * 2 ** Math.min(this.#count, 10))
    this.#count++
    this.#error = error
    this.#retryAt = now + delayMs * (0.8 + Math.random() * 0.4)
  }

  succeeded(): void {
    this.#count = 0
    this.#error = undefined
  }

  /** What is to be said now; the same is said again only when it goes on for as long again. */
  due(now: number): Due | undefined {
    if (this.#count === 0 || now < this.#sayAt) return undefined
    this.#sayAt = now + quietMs
    const error = this.#error
    return { error, lastsMs: now - this.#since, isPassing: isPassing(error) }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof KafkaFailure) return error.isRetriable || error.isStaleMetadata
  // Brokers learn of a new topic one after the other.
  return hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC')
}
