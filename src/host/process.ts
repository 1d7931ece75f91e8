// A worker as a whole process: its title, its report, its signals, and the code it exits with.
import { hasCode, messageOf, TailraceError } from '../core/errors.ts'
import type { Topology } from '../core/topology.ts'
import { pause } from '../port/clock.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import { realClock } from '../runtime/real-clock.ts'
import { errorData, errorText } from './error-text.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts'
import { boundHeapGrowth } from './heap.ts'
import type { LogLevel } from './log.ts'
import type { ToNode } from './node-messages.ts'
import { hearSupervisor, tellSupervisor } from './node-place.ts'
import type { ResolvedOptions } from './options.ts'
import {
  nodeReportText,
  reportOf,
  reportText,
  restoreOf,
  restoreText,
  type StartReport
} from './report.ts'
import { SignalEcho } from './signal-echo.ts'
import type { HostedWorker } from './worker.ts'

/** The part of a runner that a process needs. */
export interface Runnable {
  readonly id: string
  /** Set in a node of a swarm. */
  readonly node: NodePlace | undefined
  options(): ResolvedOptions
  topology(): Topology
  prepare(parts: { readonly isJson: boolean; readonly level: LogLevel }): Promise<HostedWorker>
}

export interface ProcessOptions {
  /** The report and the log as JSON lines. */
  readonly isJson: boolean
  /** Called once the worker has a keeper, and has started. */
  readonly onKeeper?: () => void
}

/** A cold stop that hangs does not keep the process: it has nothing to lose. */
const coldStopMsMax = 5_000
const progressMs = 1_000
const reportAgainMs = 500
const readyLookMs = 100

/** Runs a worker until it is told to stop, or crashes; ends the process. */
export async function runProcess(runner: Runnable, options: ProcessOptions): Promise<never> {
  boundHeapGrowth()
  const exitCode = new ProcessRun(runner, options).exitCode()
  // Who sees the title may send a signal: the handlers are there before it.
  const what = runner.node === undefined ? 'worker' : `node ${runner.node.id}`
  process.title = `tailrace ${runner.id} ${what}`
  return process.exit(await exitCode)
}

class ProcessRun {
  readonly #runner: Runnable
  readonly #isJson: boolean
  readonly #onKeeper: () => void
  readonly #exit: (code: ExitCode) => void
  readonly #exited: Promise<ExitCode>
  readonly #echo = new SignalEcho()
  #worker: HostedWorker | undefined
  #stopWaitMs = 0
  /** Set once a stop has become a cold one: a warm one that ends then was not warm. */
  #coldCode: ExitCode | undefined
  #isStopping = false
  #isQuiet = false

  constructor(runner: Runnable, { isJson, onKeeper = () => undefined }: ProcessOptions) {
    this.#runner = runner
    this.#isJson = isJson
    this.#onKeeper = onKeeper
    const { promise, resolve } = Promise.withResolvers<ExitCode>()
    this.#exited = promise
    this.#exit = resolve
  }

  exitCode(): Promise<ExitCode> {
    this.#listen()
    this.#run().catch((error: unknown) => {
      // Stopped while it started: that is what was asked for.
      if (this.#isStopping) return
      this.#fail(error)
      this.#exit(exitCodeOf(error))
    })
    return this.#exited
  }

  async #run(): Promise<void> {
    const options = this.#runner.options()
    this.#stopWaitMs = options.settings.shutdownTimeoutMs
    const topology = this.#runner.topology()
    const worker = await this.#runner.prepare({ isJson: this.#isJson, level: 'info' })
    this.#worker = worker
    if (this.#isQuiet) worker.quiet()
    if (this.#isStopping) return
    const progress = setInterval(() => this.#tellProgress(worker), progressMs)
    await worker.start().finally(() => clearInterval(progress))
    this.#onKeeper()
    void worker.ended.then((error) => this.#onEnded(error))
    const { node } = this.#runner
    const report = await this.#report(worker, { options, topology, node })
    if (report === undefined) return
    const text = node === undefined ? reportText(report) : nodeReportText(report, node)
    this.#say(this.#isJson ? JSON.stringify({ event: 'started', ...report }) : text)
    if (node === undefined) return
    this.#tellReady(worker, report.web)
  }

  // What it is given later is restored later: whoever rolls a swarm waits for that as well.
  #tellReady(worker: HostedWorker, web: string | undefined): void {
    let last: string | undefined
    const tell = (reason: string | undefined): void => {
      last = reason
      if (reason !== undefined) return tellSupervisor({ kind: 'not-ready', reason })
      tellSupervisor({ kind: 'ready', tasks: worker.status().tasks.length, web })
    }
    tell(undefined)
    const look = (): void => {
      const reason = worker.unreadyReason
      if ((reason === undefined) !== (last === undefined)) tell(reason)
    }
    setInterval(look, readyLookMs).unref()
  }

  // It runs: a log that goes away now must not end it here, nor be waited for longer than it lives.
  async #report(
    worker: HostedWorker,
    about: Parameters<typeof reportOf>[1]
  ): Promise<StartReport | undefined> {
    let hasEnded = false
    void worker.ended.then(() => (hasEnded = true))
    for (;;) {
      try {
        return await reportOf(worker, about)
      } catch (error) {
        if (this.#isStopping || hasEnded) return undefined
        if (!hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')) throw error
      }
      await pause(realClock, reportAgainMs)
    }
  }

  #onEnded(error: unknown): void {
    if (error === undefined || this.#isStopping) return
    this.#fail(error)
    this.#exit(exitCodes.crashed)
  }

  #listen(): void {
    // HUP: the terminal was closed, and nobody is there to press Ctrl-C.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => this.#onStopSignal(signal))
    }
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', (error) => this.#onOutputLost(error))
    }
    process.on('SIGQUIT', () => this.#force('SIGQUIT'))
    for (const signal of ['SIGUSR1', 'SIGTTIN'] as const) {
      process.on(signal, () => this.#dump())
    }
    process.on('SIGTSTP', () => this.#quiet())
    if (this.#runner.node !== undefined) hearSupervisor((message) => this.#hear(message))
    process.on('uncaughtException', (error) => this.#onUncaught(error))
    process.on('unhandledRejection', (error) => this.#onUncaught(error))
  }

  // The supervisor says each thing once, but a person may have said it to this node before.
  #hear(message: ToNode): void {
    if (message.kind === 'quiet') return this.#quiet()
    if (message.kind === 'dump') return this.#dump()
    if (message.isCold) return this.#force(message.reason)
    if (!this.#isStopping) this.#stopWarm(message.reason)
  }

  #quiet(): void {
    if (this.#isQuiet) return
    this.#isQuiet = true
    this.#worker?.quiet()
    const text = 'it finishes what is open and fetches no more; TERM ends it'
    this.#say(this.#isJson ? JSON.stringify({ event: 'quiet' }) : `quiet     ${text}`)
  }

  #onStopSignal(signal: NodeJS.Signals): void {
    if (this.#echo.isEcho(signal, performance.now())) return
    if (this.#isStopping) return this.#force(signal)
    this.#stopWarm(signal)
  }

  #stopWarm(reason: string): void {
    this.#isStopping = true
    const worker = this.#worker
    if (worker === undefined) return this.#exit(exitCodes.stopped)
    // Runs out only when a warm stop does not end in its time.
    const late = setTimeout(() => this.#force('shutdownTimeout'), this.#stopWaitMs)
    worker
      .stop({ reason })
      .then(
        () => this.#exit(this.#coldCode ?? exitCodes.stopped),
        (error: unknown) => {
          this.#print(error)
          this.#exit(this.#coldCode ?? exitCodes.crashed)
        }
      )
      .finally(() => clearTimeout(late))
  }

  #force(reason: string): void {
    this.#isStopping = true
    this.#stopCold(reason, exitCodes.forced)
  }

  // A closed pipe or terminal: lines to it are lost, and a stop under way goes on without them.
  #onOutputLost(error: Error): void {
    if (this.#isStopping) return
    this.#isStopping = true
    const text = 'what reads the output of this worker is gone'
    const isNode = this.#runner.node !== undefined
    const options = { cause: error }
    this.#fail(
      isNode
        ? new TailraceError('TAILRACE_SWARM_OUTPUT_LOST', text, options)
        : new Error(text, options)
    )
    this.#stopCold('its output cannot be written', exitCodes.crashed)
  }

  #onUncaught(error: unknown): void {
    this.#fail(error)
    this.#isStopping = true
    this.#stopCold('an error that nobody caught', exitCodes.crashed)
  }

  #stopCold(reason: string, code: ExitCode): void {
    this.#coldCode ??= code
    const exit = (): void => this.#exit(this.#coldCode ?? code)
    setTimeout(exit, coldStopMsMax)
    const stopped = this.#worker?.stop({ reason, isCold: true }) ?? Promise.resolve()
    stopped.then(exit, exit)
  }

  #dump(): void {
    process.stderr.write(`${this.#worker?.dump() ?? 'the worker is starting'}\n`)
  }

  #tellProgress(worker: HostedWorker): void {
    const progress = restoreOf(worker.status())
    if (progress === undefined) return
    const event = { event: 'restoring', ...progress }
    this.#say(this.#isJson ? JSON.stringify(event) : restoreText(progress))
  }

  #say(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  #fail(error: unknown): void {
    this.#print(error)
    if (this.#runner.node === undefined) return
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
    tellSupervisor({ kind: 'failed', code, message: messageOf(error) })
  }

  #print(error: unknown): void {
    const text = this.#isJson
      ? JSON.stringify({ event: 'failed', ...errorData(error) })
      : errorText(error)
    process.stderr.write(`${text}\n`)
  }
}
