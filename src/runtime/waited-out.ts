// What a log that is away for a moment makes of an opening: tried again, and said, up to a limit.
import { hasCode, messageOf } from '../core/errors.ts'
import { type Clock, pause } from '../port/clock.ts'
import type { Log } from './log.ts'

export interface WaitParts {
  readonly clock: Clock
  readonly log: Log
  /** What does not come about, for the log line: `task "x" cannot be opened`. */
  readonly what: string
  /** From the first failure on; those of an attempt that got on begin anew. */
  readonly limitMs: number
  readonly signal: AbortSignal
  readonly hasAdvanced: () => boolean
}

const againMs = 500

/** Until it succeeds, the signal aborts, or it fails with what waiting cannot mend. */
export async function waitedOut(attempt: () => Promise<void>, parts: WaitParts): Promise<void> {
  const { clock, hasAdvanced, limitMs, log, signal, what } = parts
  let sinceMs: number | undefined
  while (!signal.aborted) {
    try {
      await attempt()
      return
    } catch (error) {
      const now = clock.monotonic()
      if (sinceMs === undefined || hasAdvanced()) sinceMs = now
      const isPassing = hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')
      if (!isPassing || signal.aborted || now - sinceMs >= limitMs) throw error
      log.warn({ err: error }, `${what} yet, and is tried again: ${messageOf(error)}`)
    }
    await pause(clock, againMs, signal)
  }
}
