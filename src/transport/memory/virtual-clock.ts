// A clock that stands still until it is told to go on: time for tests and for the simulator.

import { brokenInvariant, invariant } from '../../core/errors.ts'
import type { Cancel, Clock } from '../../port/clock.ts'

interface Appointment {
  readonly at: number
  /** Orders what is due at the same millisecond. */
  readonly rank: number
  readonly order: number
  readonly run: () => void
}

/** What a virtual clock begins with. */
export interface VirtualClockOptions {
  /** Wall time at the beginning, in ms since 1970. @default 2026-01-01 */
  readonly startMs?: number
  /**
   * Numbers from 0 to below 1; when given, what is due together runs in an order drawn by it.
   *
   * @default in the order in which it was asked for
   */
  readonly random?: () => number
}

/**
 * Deterministic: the same calls give the same order. Between two appointments every promise that
 * can settle does; code that waits for real input or output is not waited for.
 */
export class VirtualClock implements Clock {
  #elapsedMs = 0
  #wallOffsetMs: number
  #order = 0
  #isRunning = false
  readonly #random: (() => number) | undefined
  /** Sorted: the next one is the last. */
  readonly #appointments: Appointment[] = []

  constructor(options: VirtualClockOptions = {}) {
    this.#wallOffsetMs = options.startMs ?? Date.UTC(2026, 0, 1)
    this.#random = options.random
  }

  /** How many calls are scheduled. */
  get pending(): number {
    return this.#appointments.length
  }

  now(): number {
    // Whole, as every wall clock of a computer answers; appointments may fall between.
    return Math.floor(this.#wallOffsetMs + this.#elapsedMs)
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  /** Moves the wall clock alone, as an operator or a time server does. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms
  }

  schedule(delayMs: number, run: () => void): Cancel {
    const appointment: Appointment = {
      at: this.#elapsedMs + Math.max(0, delayMs),
      rank: this.#random?.() ?? 0,
      order: this.#order++,
      run
    }
    this.#insert(appointment)
    return () => {
      const at = this.#appointments.indexOf(appointment)
      if (at >= 0) this.#appointments.splice(at, 1)
    }
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(0, resolve)
    })
  }

  /** Lets `ms` pass and runs what is due meanwhile, in order. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms
    await this.#running(async () => {
      await drain()
      while (this.#isDueBy(until)) await this.#step()
      this.#elapsedMs = until
    })
  }

  /**
   * Runs until nothing is scheduled, or until `limitMs` passed: what repeats never ends.
   * True when nothing is scheduled.
   */
  async runUntilIdle(limitMs: number = 60_000): Promise<boolean> {
    const until = this.#elapsedMs + limitMs
    await this.#running(async () => {
      await drain()
      while (this.#isDueBy(until)) await this.#step()
    })
    return this.#appointments.length === 0
  }

  /** Runs until the promise settles, and answers what it does; time passes as it must. */
  async settle<T>(promise: Promise<T>, limitMs: number = 600_000): Promise<T> {
    const until = this.#elapsedMs + limitMs
    let isSettled = false
    const mark = (): void => {
      isSettled = true
    }
    promise.then(mark, mark)
    await this.#running(async () => {
      await drain()
      while (!isSettled) {
        if (!this.#isDueBy(until)) {
          throw brokenInvariant(`nothing within ${limitMs} ms settles what is waited for`)
        }
        await this.#step()
      }
    })
    return promise
  }

  /** Goes on by itself, as fast as it can, until the answer is called. */
  flow(): () => Promise<void> {
    let isStopped = false
    const flowing = this.#running(async () => {
      while (!isStopped) {
        await drain()
        await this.#step()
      }
    })
    return () => {
      isStopped = true
      return flowing
    }
  }

  #isDueBy(until: number): boolean {
    const next = this.#appointments.at(-1)
    return next !== undefined && next.at <= until
  }

  async #step(): Promise<void> {
    const next = this.#appointments.pop()
    if (next === undefined) return
    this.#elapsedMs = Math.max(this.#elapsedMs, next.at)
    next.run()
    await drain()
  }

  /** Two drivers at once would run each other's appointments out of order. */
  async #running(drive: () => Promise<void>): Promise<void> {
    invariant(!this.#isRunning, 'a virtual clock is driven from two places at once')
    this.#isRunning = true
    try {
      await drive()
    } finally {
      this.#isRunning = false
    }
  }

  #insert(appointment: Appointment): void {
    let low = 0
    let high = this.#appointments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#appointments[middle]
      if (other !== undefined && isBefore(appointment, other)) low = middle + 1
      else high = middle
    }
    this.#appointments.splice(low, 0, appointment)
  }
}

function isBefore(a: Appointment, b: Appointment): boolean {
  if (a.at !== b.at) return a.at < b.at
  if (a.rank !== b.rank) return a.rank < b.rank
  return a.order < b.order
}

/** Everything that waits only for promises has run when the next macrotask begins. */
function drain(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
