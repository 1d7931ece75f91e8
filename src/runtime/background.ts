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

/** One timer or task of this worker, for dumps. */
export interface BackgroundStatus {
  readonly kind: 'timer' | 'task'
  readonly name: string
  /** How long it has been running; undefined between two runs, or after the last. */
  readonly runningMs: number | undefined
}

interface Run {
  readonly kind: BackgroundStatus['kind']
  readonly name: string
  sinceMs: number | undefined
}

export class Background {
  readonly #parts: BackgroundParts
  readonly #isForLeader: boolean
  #abort: AbortController | undefined
  #running: Promise<void>[] = []
  #runs: Run[] = []

  constructor(parts: BackgroundParts, isForLeader: boolean) {
    this.#parts = parts
    this.#isForLeader = isForLeader
  }

  start(): void {
    if (this.#abort !== undefined) return
    const abort = new AbortController()
    this.#abort = abort
    this.#runs = []
    const { tasks, timers } = this.#parts.declarations
    const own = <T extends { onLeader: boolean }>(one: T): boolean =>
      one.onLeader === this.#isForLeader
    this.#running = [
      ...timers.filter(own).map((timer) => this.#runTimer(timer, abort.signal)),
      ...tasks.filter(own).map((task) => this.#runTask(task, abort.signal))
    ]
  }

  /** Those that were started here. */
  status(): readonly BackgroundStatus[] {
    const now = this.#parts.clock.monotonic()
    return this.#runs.map(({ kind, name, sinceMs }) => {
      return { kind, name, runningMs: sinceMs === undefined ? undefined : now - sinceMs }
    })
  }

  async #timed(run: Run, work: () => unknown): Promise<void> {
    run.sinceMs = this.#parts.clock.monotonic()
    try {
      await work()
    } finally {
      run.sinceMs = undefined
    }
  }

  #runOf(kind: Run['kind'], { name }: { readonly name: string }): Run {
    const run: Run = { kind, name, sinceMs: undefined }
    this.#runs.push(run)
    return run
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
    const run = this.#runOf('timer', timer)
    let due = clock.monotonic() + (timer.immediate ? 0 : timer.everyMs)
    while (!signal.aborted) {
      await pause(clock, Math.max(0, due - clock.monotonic()), signal)
      if (signal.aborted) return
      await this.#timed(run, () => this.#runOnce(timer, signal))
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
      await this.#timed(this.#runOf('task', task), () => task.run({ signal }))
    } catch (error) {
      if (signal.aborted) return
      this.#parts.log.error({ task: task.name, err: error }, `a task failed: ${messageOf(error)}`)
      this.#parts.onFatal(error)
    }
  }
}
