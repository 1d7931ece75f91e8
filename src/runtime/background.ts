// Timers and tasks of an app, on every worker or on the leader alone.
import type { BackgroundDeclaration, Declarations, TimerDeclaration } from '../core/declarations.ts'
import { messageOf } from '../core/errors.ts'
import { type Clock, pause } from '../port/clock.ts'
import type { Log } from './log.ts'

export interface BackgroundParts {
  readonly declarations: Declarations
  readonly clock: Clock
  readonly log: Log
  /** A task threw: unlike a timer it has no next run. */
  readonly onFatal: (error: unknown) => void
}

export class Background {
  readonly #parts: BackgroundParts
  readonly #isForLeader: boolean
  #abort: AbortController | undefined
  #running: Promise<void>[] = []

  constructor(parts: BackgroundParts, isForLeader: boolean) {
    this.#parts = parts
    this.#isForLeader = isForLeader
  }

  start(): void {
    if (this.#abort !== undefined) return
    const abort = new AbortController()
    this.#abort = abort
    const { tasks, timers } = this.#parts.declarations
    const own = <T extends { onLeader: boolean }>(one: T): boolean =>
      one.onLeader === this.#isForLeader
    this.#running = [
      ...timers.filter(own).map((timer) => this.#runTimer(timer, abort.signal)),
      ...tasks.filter(own).map((task) => this.#runTask(task, abort.signal))
    ]
  }

  /** Aborts the signals; resolves when everything has returned or the deadline is over. */
  async stop(deadlineMs: number): Promise<void> {
    this.#abort?.abort(new Error('the worker stops, or another one leads now'))
    this.#abort = undefined
    const settled = Promise.all(this.#running.splice(0))
    const deadline = new AbortController()
    const late = pause(this.#parts.clock, deadlineMs, deadline.signal).then(() => 'late')
    const outcome = await Promise.race([settled, late])
    deadline.abort()
    if (outcome === 'late') this.#parts.log.warn({}, 'a timer or task did not end in time')
  }

  async #runTimer(timer: TimerDeclaration, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    let due = clock.monotonic() + (timer.immediate ? 0 : timer.everyMs)
    while (!signal.aborted) {
      await pause(clock, Math.max(0, due - clock.monotonic()), signal)
      if (signal.aborted) return
      await this.#runOnce(timer, signal)
      // Intervals that a long run or a sleeping machine missed are not made up for.
      due = Math.max(due + timer.everyMs, clock.monotonic())
    }
  }

  async #runOnce(timer: TimerDeclaration, signal: AbortSignal): Promise<void> {
    try {
      await timer.run({ signal })
    } catch (error) {
      if (signal.aborted) return
      const fields = { timer: timer.name, err: error }
      this.#parts.log.error(fields, `a timer failed, and runs again in time: ${messageOf(error)}`)
    }
  }

  async #runTask(task: BackgroundDeclaration, signal: AbortSignal): Promise<void> {
    try {
      await task.run({ signal })
    } catch (error) {
      if (signal.aborted) return
      this.#parts.log.error({ task: task.name, err: error }, `a task failed: ${messageOf(error)}`)
      this.#parts.onFatal(error)
    }
  }
}
