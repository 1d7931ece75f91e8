// Wakes those who wait for a change, through the clock, so that a simulation owns the order.

import type { Clock } from '../../port/clock.ts'

export class Signal {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `wake` once, at the next `raise` or never; the answer takes it off the list. */
  wait(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  raise(): void {
    for (const wake of this.#waiting) this.#clock.schedule(0, wake)
    this.#waiting.clear()
  }
}
