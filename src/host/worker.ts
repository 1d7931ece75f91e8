// A worker as a program holds it: starts its parts in order, stops them in reverse, once.
import { hasCode, TailraceError } from '../core/errors.ts'
import type { Log } from '../runtime/log.ts'
import { newCounters } from '../runtime/monitor.ts'
import type { WorkerStatus } from '../runtime/worker.ts'
import { Assembly, type Part, type StopOptions, type WorkerContext } from './worker-parts.ts'

/** A worker that `app.start` started; `await using` stops it at the end of its block. */
export interface Worker extends AsyncDisposable {
  /** Address of its web pages; undefined where there are none. */
  readonly url: string | undefined
  /** Settles when it has ended: with undefined after `stop`, with the error when it crashed. */
  readonly ended: Promise<unknown>
  /** What `/status` answers: tasks, lag, counters, and why it is not ready if it is not. */
  status(): WorkerStatus
  /** What runs right now, as text: open events with their age. */
  dump(): string
  /**
   * Begins nothing new: finishes and commits what is open, fetches no more, and stays in its group.
   * There is no way back but a new start.
   */
  quiet(): void
  /**
   * Finishes the events it works on within `shutdownTimeout`, commits and leaves; `isCold` drops
   * them. Called again it answers for the same stop, and `isCold` then makes it a cold one.
   */
  stop(options?: { readonly reason?: string; readonly isCold?: boolean }): Promise<void>
}

export class HostedWorker implements Worker {
  readonly ended: Promise<unknown>
  readonly assembly: Assembly
  readonly #log: Log
  readonly #started: Part[] = []
  readonly #end: (error: unknown) => void
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #stop: StopOptions | undefined
  #isQuiet = false

  constructor(context: WorkerContext) {
    this.assembly = new Assembly(context)
    this.#log = context.log
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.ended = promise
    this.#end = resolve
  }

  get url(): string | undefined {
    return this.assembly.url
  }

  /** Resolves when it runs: assigned, and its tables restored. */
  start(): Promise<void> {
    this.#starting ??= this.#startParts()
    return this.#starting
  }

  status(): WorkerStatus {
    return this.assembly.runtime?.status() ?? notYet
  }

  /** Why it is not ready; undefined when it is. For who asks often: a status counts everything. */
  get unreadyReason(): string | undefined {
    const { runtime } = this.assembly
    return runtime === undefined ? notYet.reason : runtime.unreadyReason
  }

  dump(): string {
    return this.assembly.runtime?.dump() ?? 'the worker is starting'
  }

  quiet(): void {
    this.#isQuiet = true
    this.assembly.runtime?.quiet()
  }

  stop(options: Partial<StopOptions> = {}): Promise<void> {
    const { reason = 'stopped by the program', isCold = false } = options
    this.#stop = { reason, isCold }
    if (this.#stopping !== undefined) {
      // A second call turns a warm stop into a cold one.
      if (isCold) this.assembly.runtime?.stop(this.#stop).catch(() => undefined)
      return this.#stopping
    }
    this.#stopping = this.#stopAll(this.#stop).finally(() => this.#end(undefined))
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #startParts(): Promise<void> {
    try {
      for (const part of this.assembly.parts()) {
        if (this.#stop !== undefined) throw stoppedWhileStarting(this.#stop)
        await part.start()
        this.#started.push(part)
        if (this.#isQuiet) this.assembly.runtime?.quiet()
      }
    } catch (error) {
      await this.#stopParts({ reason: 'the start failed', isCold: true }).catch(() => undefined)
      if (this.#stop !== undefined) throw stoppedWhileStarting(this.#stop)
      this.#end(error)
      throw error
    }
    void this.assembly.runtime?.ended.then((error) => this.#onRuntimeEnded(error))
  }

  async #onRuntimeEnded(error: unknown): Promise<void> {
    if (this.#stopping !== undefined) return
    this.#stopping = this.#stopParts({ reason: 'the worker ended', isCold: true })
    await this.#stopping.catch(() => undefined)
    this.#end(error)
  }

  async #stopAll(options: StopOptions): Promise<void> {
    // A start under way ends first: it notices between two parts, or by its runtime.
    const isStarting = this.#starting !== undefined && !this.#started.some(isRuntime)
    if (isStarting) await this.assembly.runtime?.stop(options).catch(() => undefined)
    await this.#starting?.catch(() => undefined)
    await this.#stopParts(options)
  }

  async #stopParts(options: StopOptions): Promise<void> {
    const errors: unknown[] = []
    for (const part of this.#started.splice(0).reverse()) {
      try {
        await part.stop(options)
      } catch (error) {
        errors.push(error)
        // The rest must be let go of all the same.
        this.#log.error({ error }, `the ${part.name} did not stop cleanly`)
      }
    }
    const first = errors.find((error) => !hasCode(error, 'TAILRACE_TRANSPORT_CLOSED'))
    if (first !== undefined) throw first
  }
}

const isRuntime = (part: Part): boolean => part.name === 'worker'

const notYet: WorkerStatus = {
  state: 'starting',
  node: undefined,
  isQuiet: false,
  isReady: false,
  reason: 'the worker is starting',
  memberId: '',
  generation: 0,
  isLeader: false,
  leaderEpoch: undefined,
  tasks: [],
  cacheBytes: 0,
  background: [],
  counters: newCounters()
}

function stoppedWhileStarting({ reason }: StopOptions): TailraceError {
  return new TailraceError(
    'TAILRACE_CONFIG_STOPPED',
    `the worker was stopped before it had started: ${reason}`
  )
}
