// The contract of time: the runtime asks a `Clock`, so that a simulation can own it.

/** Stops a scheduled call; calling it again, or after the call ran, does nothing. */
export type Cancel = () => void

/** Time as the runtime and transports know it; a simulation and a test have one of their own. */
export interface Clock {
  /** Wall time in milliseconds since 1970, for timestamps. It may jump. */
  now(): number
  /** Milliseconds that only grow, for deadlines. Its zero means nothing. */
  monotonic(): number
  /** Calls `run` once, not sooner than `delayMs` from now. */
  schedule(delayMs: number, run: () => void): Cancel
  /** Resolves after input and output had a turn: long work calls it between slices. */
  turn(): Promise<void>
}

/** Resolves after `delayMs`, or at once when the signal aborts. Never rejects. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = (): void => {
      cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = clock.schedule(delayMs, wake)
    signal?.addEventListener('abort', wake, { once: true })
  })
}
