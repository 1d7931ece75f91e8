// Data plane. Whether an agent's function may write right now, and for which event.
import { TailraceError } from '../core/errors.ts'
import type { StreamEvent } from '../core/event.ts'
import type { Journal } from './journal.ts'
import type { TaskTime } from './task-time.ts'

/** One call of an agent's function: it dies with its failure, so that late writes are refused. */
export class Scope {
  readonly agent: string
  readonly journal: Journal
  readonly time: TaskTime
  /** The event that is open for this call, if any. */
  event: StreamEvent | undefined
  isDead = false

  constructor(agent: string, journal: Journal, time: TaskTime) {
    this.agent = agent
    this.journal = journal
    this.time = time
  }

  /** @throws TAILRACE_AGENT_NO_EVENT */
  require(what: string, name?: string): StreamEvent {
    if (this.event !== undefined) return this.event
    const done = name === undefined ? what : `${what} "${name}"`
    throw new TailraceError(
      'TAILRACE_AGENT_NO_EVENT',
      `agent "${this.agent}" ${done} while no event of it was open` +
        (this.isDead ? ': this call of its function has ended' : '')
    )
  }

  end(): void {
    this.isDead = true
    this.event = undefined
  }
}
