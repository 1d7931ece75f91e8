// What becomes of a swarm whose supervisor has an error that nobody caught: most are of its hooks.
import { errorText } from '../host/error-text.ts'
import { type ExitCode, exitCodes } from '../host/exit-codes.ts'
import type { Cancel, Clock } from '../port/clock.ts'
import { stopGraceMs } from './node-state.ts'
import type { Supervisor } from './supervisor.ts'

export interface BreakdownParts {
  readonly supervisor: Pick<Supervisor, 'killAll' | 'status' | 'stop'>
  readonly clock: Clock
  readonly shutdownTimeoutMs: number
  readonly write: (text: string) => void
}

/** Beyond the time in which a supervisor that still works has killed the last node. */
const spareMs = 15_000

/**
 * Node throws what a hook throws later, and as an error of nobody, so the supervisor may be as well
 * as before: it stops warm. Whether it still can is seen by whether it does. A hook that throws
 * goes on doing so in that stop, so further errors are told, and change nothing.
 */
export class Breakdown {
  readonly #parts: BreakdownParts
  readonly #lost: PromiseWithResolvers<undefined> = Promise.withResolvers()
  #hasFailed = false
  #cancel: Cancel = () => undefined

  constructor(parts: BreakdownParts) {
    this.#parts = parts
  }

  take(error: unknown): void {
    const { clock, shutdownTimeoutMs, supervisor, write } = this.#parts
    write(`${errorText(error)}\n`)
    if (this.#hasFailed) return
    this.#hasFailed = true
    const stopMsMax = shutdownTimeoutMs + stopGraceMs + spareMs
    this.#cancel = clock.schedule(stopMsMax, () => this.#killAll())
    try {
      const { state } = supervisor.status()
      // A second stop would be a cold one.
      if (state === 'stopping' || state === 'stopped') return
      supervisor.stop({ reason: 'the supervisor, or a hook in it, had an error' })
    } catch (broken) {
      write(`${errorText(broken)}\n`)
      this.#killAll()
    }
  }

  /** The code to exit with, once the supervisor has ended, or cannot end. */
  async over(run: Promise<ExitCode>): Promise<ExitCode> {
    const code = await Promise.race([run, this.#lost.promise])
    this.#cancel()
    return this.#hasFailed ? exitCodes.crashed : (code ?? exitCodes.crashed)
  }

  // Nothing of a supervisor that is broken itself may be left: nobody would look after it.
  #killAll(): void {
    this.#parts.supervisor.killAll()
    this.#lost.resolve(undefined)
  }
}
