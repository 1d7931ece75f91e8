// Time of one simulated process on a shared virtual clock: it can be frozen, killed and skewed.
import { type Cancel, type Clock, pause } from '../port/clock.ts'
import type { VirtualClock } from '../transport/memory/virtual-clock.ts'

/** The time of one worker's process: that of the log, unless it is frozen or skewed. In ms. */
export class ProcessClock implements Clock {
  readonly #base: VirtualClock
  #skewMs = 0
  #frozenUntilMs = 0
  #isDead = false

  constructor(base: VirtualClock) {
    this.#base = base
  }

  now(): number {
    return this.#base.now() + this.#skewMs
  }

  monotonic(): number {
    return this.#base.monotonic()
  }

  schedule(delayMs: number, run: () => void): Cancel {
    if (this.#isDead) return () => undefined
    let cancel: Cancel = () => undefined
    const fire = (): void => {
      if (this.#isDead) return
      if (this.frozenMs > 0) cancel = this.#base.schedule(this.frozenMs, fire)
      else run()
    }
    cancel = this.#base.schedule(delayMs, fire)
    return () => cancel()
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(0, resolve)
    })
  }

  /** Resolves after `delayMs` of this process's time. */
  pause(delayMs: number): Promise<void> {
    return pause(this, delayMs)
  }

  /** How much longer nothing runs, in ms. */
  get frozenMs(): number {
    return Math.max(0, this.#frozenUntilMs - this.monotonic())
  }

  /** As SIGSTOP would: what is due meanwhile runs when the time is over. */
  freeze(forMs: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.monotonic() + forMs)
  }

  /** Moves the wall clock of this process alone. */
  jump(ms: number): void {
    this.#skewMs += ms
  }

  /** Nothing that is scheduled runs any more. */
  kill(): void {
    this.#isDead = true
  }
}
