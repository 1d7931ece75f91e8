// Every operation of one connection passes here: closed, crashed, delayed or failed on purpose.

import { TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'

/** What is done to one operation: it takes longer, or fails. */
export type Fault =
  | { readonly delayMs: number }
  | {
      readonly error: Error
      /** Fails after it took hold, so that its outcome is unknown to the caller. */
      readonly isAfter?: boolean
    }

/** Asked before each operation (`transaction.end`, `fetch`, `group.beat`); decides its fate. */
export type FaultHook = (operation: string) => Fault | undefined

export class Gate {
  readonly #clock: Clock
  readonly #faults: FaultHook | undefined
  readonly #closing = new Set<() => void>()
  #isClosed = false
  #isCrashed = false

  constructor(clock: Clock, faults: FaultHook | undefined) {
    this.#clock = clock
    this.#faults = faults
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Runs an operation that takes hold at one instant. */
  async pass<T>(operation: string, run: () => T | Promise<T>): Promise<T> {
    this.check(operation)
    const fault = this.#faults?.(operation)
    if (fault !== undefined && 'delayMs' in fault) await pause(this.#clock, fault.delayMs)
    if (this.#isCrashed) return never()
    this.check(operation)
    if (fault !== undefined && 'error' in fault && fault.isAfter !== true) throw fault.error
    const result = await run()
    if (this.#isCrashed) return never()
    if (fault !== undefined && 'error' in fault) throw fault.error
    return result
  }

  /** @throws TAILRACE_TRANSPORT_CLOSED */
  check(operation: string): void {
    if (this.#isClosed && !this.#isCrashed) this.refuse(operation)
  }

  /** @throws TAILRACE_TRANSPORT_CLOSED */
  refuse(operation: string): never {
    throw new TailraceError(
      'TAILRACE_TRANSPORT_CLOSED',
      `${operation} was asked of a connection to the memory log that is closed`,
      { isDefinite: true }
    )
  }

  /** Calls `end` when the connection closes; the answer takes it off the list. */
  onClose(end: () => void): () => void {
    this.#closing.add(end)
    return () => this.#closing.delete(end)
  }

  close(): void {
    this.#isClosed = true
    for (const end of [...this.#closing]) end()
    this.#closing.clear()
  }

  /** From here on nothing takes hold and nothing is answered, as after kill -9. */
  crash(): void {
    this.#isCrashed = true
    this.close()
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}
