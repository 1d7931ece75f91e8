// Asks a coordinator until it has an answer: failures that pass are waited out.

import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import { KafkaFailure } from './protocol-failure.ts'

export interface Patience {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Nobody waits for the answer any more. */
  readonly isOver?: () => boolean
  /** Called for each failed attempt, before it is judged. */
  readonly onFailure?: (failure: KafkaFailure) => void
}

/** Much shorter than the cluster's own: what is waited for here is mostly the last commit's end. */
const backOffMs = { first: 10, max: 500 }

/** Runs `attempt` until it succeeds, or fails for good, or the time is over. */
export async function patiently<T>(patience: Patience, attempt: () => Promise<T>): Promise<T> {
  const { clock, isOver, onFailure, timeoutMs } = patience
  const deadline = clock.monotonic() + timeoutMs
  for (let delayMs = backOffMs.first; ; delayMs = Math.min(backOffMs.max, delayMs * 2)) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof KafkaFailure)) throw error
      onFailure?.(error)
      const waitMs = delayMs * (0.8 + Math.random() * 0.4)
      if (!error.isRetriable || clock.monotonic() + waitMs > deadline) throw error
      await pause(clock, waitMs)
      if (isOver?.() === true) throw error
    }
  }
}
