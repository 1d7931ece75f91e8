// A limit for what is awaited from outside. Time in which the loop was blocked does not count: what
// came meanwhile has not been read yet, and timers fire before it is.
import type { Clock } from '../port/clock.ts'

const sliceMs = 1_000

/** Settles as `work` does; rejects with what `late` makes when that takes longer than `limitMs`. */
export async function within<T>(
  work: Promise<T>,
  { clock, late, limitMs, signal }: WithinParts
): Promise<T> {
  let cancel = (): void => undefined
  let cut = (): void => undefined
  const limit = new Promise<never>((_, reject) => {
    cut = (): void => reject(late())
    if (signal?.aborted === true) cut()
    signal?.addEventListener('abort', cut)
    let leftMs = limitMs
    const next = (): void => {
      const slice = Math.min(sliceMs, leftMs)
      const begunMs = clock.monotonic()
      cancel = clock.schedule(slice, () => {
        leftMs -= Math.min(clock.monotonic() - begunMs, 2 * slice)
        if (leftMs > 0) next()
        else cancel = afterTurn(clock, () => reject(late()))
      })
    }
    next()
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    cancel()
    signal?.removeEventListener('abort', cut)
  }
}

export interface WithinParts {
  readonly clock: Clock
  readonly limitMs: number
  readonly late: () => Error
  /** Ends it as if the time were over. */
  readonly signal?: AbortSignal
}

/** Input has its turn first. */
function afterTurn(clock: Clock, run: () => void): () => void {
  let isCancelled = false
  void clock.turn().then(() => {
    if (!isCancelled) run()
  })
  return () => {
    isCancelled = true
  }
}
