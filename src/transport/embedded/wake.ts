// Wakes those who wait for a commit: a nudge file that processes watch, and a poll for safety.

import type { FSWatcher } from 'node:fs'
import { closeSync, constants, openSync, watch, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Cancel, Clock } from '../../port/clock.ts'

export interface WakeupOptions {
  readonly file: string
  readonly clock: Clock
  /** Grows when there may be something new; asked by the poll. */
  readonly version: () => number
  /** False where a watch is not known to report at once: then polling does it. */
  readonly canWatch?: boolean
}

/** The watch reports a nudge in well under a ms; polling only guards against a lost one. */
const pollMsWatched = 100
/** Without a watch: fast while data flows, slow after `idleAfterMs` without any. */
const pollMsBusy = 2
const pollMsIdle = 25
const idleAfterMs = 50

const byte: Uint8Array = new Uint8Array([1])

export class Wakeup {
  readonly #options: WakeupOptions
  readonly #waiters = new Set<() => void>()
  #descriptor: number | undefined
  #watcher: FSWatcher | undefined
  #canWatch: boolean
  #cancelPoll: Cancel | undefined
  #seenVersion = -1
  #changedAt = 0
  #isClosed = false

  constructor(options: WakeupOptions) {
    this.#options = options
    // Windows reports writes through open handles late, and macOS watches were not measured.
    this.#canWatch = options.canWatch ?? process.platform === 'linux'
    this.#descriptor = openSync(options.file, constants.O_RDWR | constants.O_CREAT, 0o600)
  }

  /** Tells everybody that something was committed. Always the same byte: the file never grows. */
  nudge(): void {
    this.wakeAll()
    if (this.#descriptor === undefined) return
    try {
      writeSync(this.#descriptor, byte, 0, 1, 0)
    } catch {
      // Others find it by polling: a full disk must not make a commit look failed.
    }
  }

  /** Wakes the waiters of this thread only. */
  wakeAll(): void {
    this.#changedAt = this.#options.clock.monotonic()
    if (this.#waiters.size === 0) return
    // Taken before the waiters look again, so that the poll finds whatever comes after.
    if (!this.#isClosed) this.#seenVersion = this.#currentVersion()
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const wake of waiters) wake()
  }

  /**
   * Calls `wake` once, at the next change or at `close`. The returned function takes it back.
   * Whoever looks for something new and then calls this in the same turn misses nothing.
   */
  onChange(wake: () => void): Cancel {
    if (this.#waiters.size === 0) this.#arm()
    this.#waiters.add(wake)
    return () => this.#waiters.delete(wake)
  }

  /** Resolves at the next change, at close or after `timeoutMs`. */
  wait(timeoutMs: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        cancelTimeout()
        cancelWake()
        resolve()
      }
      const cancelTimeout = this.#options.clock.schedule(timeoutMs, done)
      const cancelWake = this.onChange(done)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelPoll?.()
    this.#watcher?.close()
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
    this.wakeAll()
  }

  #arm(): void {
    if (this.#watcher === undefined && this.#canWatch) this.#watch()
    if (this.#cancelPoll === undefined) this.#schedulePoll()
  }

  #watch(): void {
    try {
      const watcher = watch(dirname(this.#options.file), { persistent: false }, () =>
        this.wakeAll()
      )
      watcher.on('error', () => this.#pollOnly())
      this.#watcher = watcher
    } catch {
      // Watches are few on some machines (inotify's max_user_instances): then polling it is.
      this.#pollOnly()
    }
  }

  #pollOnly(): void {
    this.#canWatch = false
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #schedulePoll(): void {
    this.#cancelPoll = this.#options.clock.schedule(this.#pollMs(), () => {
      this.#cancelPoll = undefined
      if (this.#isClosed || this.#waiters.size === 0) return
      if (this.#currentVersion() === this.#seenVersion) this.#schedulePoll()
      else this.wakeAll()
    })
  }

  #pollMs(): number {
    if (this.#watcher !== undefined) return pollMsWatched
    const quietMs = this.#options.clock.monotonic() - this.#changedAt
    return quietMs < idleAfterMs ? pollMsBusy : pollMsIdle
  }

  #currentVersion(): number {
    try {
      return this.#options.version()
    } catch {
      // Busy: whoever recovers or checkpoints changes something. Waiters look for themselves.
      return this.#seenVersion + 1
    }
  }
}
