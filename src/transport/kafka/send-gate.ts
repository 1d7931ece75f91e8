// Holds requests back while a quota wants silence, or while a login takes place.

import type { Cancel, Clock } from '../../port/clock.ts'
import type { KafkaFailure } from './protocol-failure.ts'

interface Held {
  readonly write: () => void
  readonly fail: (failure: KafkaFailure) => void
}

const saslHandshake = 17
const saslAuthenticate = 36

export class SendGate {
  readonly #clock: Clock
  #held: Held[] = []
  #mutedUntil = Number.NEGATIVE_INFINITY
  #cancel: Cancel | undefined
  #isLoggingIn = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Writes now, or when the gate opens, in order. */
  pass(key: number, held: Held): void {
    // While it logs in anew, a broker takes nothing but the login.
    if (key === saslHandshake) this.#isLoggingIn = true
    const isLogin = key === saslHandshake || key === saslAuthenticate
    if (isLogin || (this.#isOpen && this.#held.length === 0)) held.write()
    else this.#held.push(held)
  }

  mute(ms: number): void {
    if (ms <= 0) return
    const until = this.#clock.monotonic() + ms
    if (until <= this.#mutedUntil) return
    this.#mutedUntil = until
    this.#cancel?.()
    this.#cancel = this.#clock.schedule(ms, () => {
      this.#cancel = undefined
      this.#release()
    })
  }

  loggedIn(): void {
    this.#isLoggingIn = false
    this.#release()
  }

  /** Empties itself; who waited is the caller's to tell. */
  clear(): readonly Held[] {
    this.#cancel?.()
    return this.#held.splice(0)
  }

  get #isOpen(): boolean {
    return !this.#isLoggingIn && this.#cancel === undefined
  }

  #release(): void {
    while (this.#isOpen) {
      const held = this.#held.shift()
      if (held === undefined) return
      held.write()
    }
  }
}
