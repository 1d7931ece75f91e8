// What a connection still waits for, by correlation id, and until when.

import type { Cancel, Clock } from '../../port/clock.ts'
import type { KafkaFailure } from './protocol-failure.ts'

export interface PendingAnswer {
  readonly key: number
  /** Gets the whole frame, correlation id first. */
  readonly answer: (frame: Buffer) => void
  readonly fail: (failure: KafkaFailure) => void
}

interface Waiting extends PendingAnswer {
  deadline: number
}

/** Ours begin where the library's, counted from 1, never come. */
const firstCorrelation = 0x40000000
const lastCorrelation = 0x7fffffff

/** A timer that fires later than this says that the loop was blocked. */
const lateMsMin = 20
/** Who could neither write nor read for long needs no longer than this to catch up. */
const forgivenMsMax = 1_000

export class PendingAnswers {
  readonly #clock: Clock
  readonly #onTimeout: (key: number) => void
  readonly #waiting: Map<number, Waiting> = new Map()
  #correlation = firstCorrelation
  #cancelSweep: Cancel | undefined
  #sweepDue = Number.POSITIVE_INFINITY

  constructor(clock: Clock, onTimeout: (key: number) => void) {
    this.#clock = clock
    this.#onTimeout = onTimeout
  }

  nextCorrelation(): number {
    const correlation = this.#correlation
    this.#correlation = correlation === lastCorrelation ? firstCorrelation : correlation + 1
    return correlation
  }

  add(correlation: number, pending: PendingAnswer, timeoutMs: number): void {
    const deadline = this.#clock.monotonic() + timeoutMs
    this.#waiting.set(correlation, { ...pending, deadline })
    this.#arm(deadline)
  }

  /** Removes and answers the one who waits for this frame. */
  take(frame: Buffer): PendingAnswer {
    const correlation = frame.readInt32BE(0)
    const waiting = this.#waiting.get(correlation)
    if (waiting === undefined) throw new RangeError('an answer came that nobody asked for')
    this.#waiting.delete(correlation)
    return waiting
  }

  /** Empties itself; who waited is the caller's to tell. */
  clear(): readonly PendingAnswer[] {
    this.#cancelSweep?.()
    this.#sweepDue = Number.NEGATIVE_INFINITY
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    return all
  }

  #arm(deadline: number): void {
    if (deadline >= this.#sweepDue) return
    this.#cancelSweep?.()
    this.#sweepDue = deadline
    const delayMs = Math.max(0, deadline - this.#clock.monotonic())
    this.#cancelSweep = this.#clock.schedule(delayMs, () => void this.#sweep())
  }

  #extend(forgivenMs: number): void {
    const least = this.#clock.monotonic() + forgivenMs
    for (const one of this.#waiting.values()) one.deadline = Math.max(one.deadline, least)
  }

  /** After a blocked loop timers fire before sockets are read: read first, and count the delay. */
  async #sweep(): Promise<void> {
    const lateMs = this.#clock.monotonic() - this.#sweepDue
    if (lateMs > lateMsMin) this.#extend(Math.min(lateMs, forgivenMsMax))
    await this.#clock.turn()
    if (this.#sweepDue === Number.NEGATIVE_INFINITY) return
    this.#sweepDue = Number.POSITIVE_INFINITY
    const now = this.#clock.monotonic()
    let next = Number.POSITIVE_INFINITY
    for (const { key, deadline } of this.#waiting.values()) {
      if (deadline <= now) {
        this.#onTimeout(key)
        return
      }
      next = Math.min(next, deadline)
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next)
  }
}
