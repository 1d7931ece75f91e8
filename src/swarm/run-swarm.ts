// `tailrace swarm` as a whole process: describes, starts, and hands signals on until all is over.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExitCode, exitCodes } from '../host/exit-codes.ts'
import { SignalEcho } from '../host/signal-echo.ts'
import type { SwarmDescription } from '../host/swarm-description.ts'
import { realClock } from '../runtime/real-clock.ts'
import { Breakdown } from './breakdown.ts'
import { openControl } from './control.ts'
import { describeApp } from './describe-app.ts'
import { importHooks } from './import-hooks.ts'
import { startNode } from './node-process.ts'
import { Supervisor } from './supervisor.ts'
import { publish } from './swarm-events.ts'
import { createSwarmLog } from './swarm-log.ts'
import { swarmReport } from './swarm-report.ts'

export interface SwarmCommand {
  /** Arguments of the command line that describes the app. */
  readonly describe: readonly string[]
  /** The same for an ordinary worker. */
  readonly worker: readonly string[]
  readonly isJson: boolean
}

/** Runs until every node has ended; answers the code to exit with. */
export async function runSwarm(command: SwarmCommand): Promise<number> {
  const signals = new Signals()
  const environment = environmentOf(process.env)
  const described = await describeApp(
    { ...commandOf(command.describe), environment },
    signals.stopped
  )
  // A signal that is meant for all ends the describing process as well.
  if (signals.stopped.aborted) return exitCodes.stopped
  const { description } = described
  if (description === undefined) return described.code
  process.title = `tailrace ${description.app} swarm`
  const { hooks } = description.swarm
  if (hooks !== undefined) await importHooks(hooks)
  const { isJson } = command
  const fields = { pid: process.pid, app: description.app }
  const log = createSwarmLog({ level: description.logLevel, isJson, fields })
  const node = commandOf(command.worker)
  const supervisor = new Supervisor({
    description,
    clock: realClock,
    log,
    publish,
    start: (place, listener) => startNode({ ...node, environment }, place, listener),
    pid: process.pid
  })
  const { pid } = process
  const control = await openControl({ supervisor, description, log, pid })
  say(swarmReport({ ...description, control: control.place }, { isJson, pid }))
  for (const warning of description.warnings) log.warn({}, warning)
  try {
    return await runUnder(supervisor, description, signals)
  } finally {
    await control.close()
  }
}

async function runUnder(
  supervisor: Supervisor,
  { swarm }: SwarmDescription,
  signals: Signals
): Promise<ExitCode> {
  const { shutdownTimeoutMs } = swarm
  const write = (text: string): void => void process.stderr.write(text)
  const breakdown = new Breakdown({ supervisor, clock: realClock, shutdownTimeoutMs, write })
  const crash = (error: unknown): void => breakdown.take(error)
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  for (const stream of [process.stdout, process.stderr]) {
    // A stop writes lines too: each is lost in the same way, and must not be a reason again.
    stream.on('error', () => {
      const { state } = supervisor.status()
      if (state === 'stopping' || state === 'stopped') return
      supervisor.stop({ reason: 'its output cannot be written' })
    })
  }
  if (signals.stopped.aborted) return exitCodes.stopped
  signals.handTo(supervisor)
  return breakdown.over(supervisor.run())
}

/** Signals from the first moment on: what comes before there are nodes ends the start. */
class Signals {
  readonly #stop = new AbortController()
  readonly #echo = new SignalEcho()
  #supervisor: Supervisor | undefined

  constructor() {
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => this.#onStop(name, false))
    }
    process.on('SIGHUP', () => this.#onHup())
    // At once.
    process.on('SIGQUIT', () => this.#onStop('SIGQUIT', true))
    process.on('SIGTSTP', () => this.#supervisor?.quiet())
    for (const name of ['SIGUSR1', 'SIGTTIN'] as const) {
      process.on(name, () => this.#supervisor?.dump())
    }
  }

  /** Aborted by what comes before `handTo`. */
  get stopped(): AbortSignal {
    return this.#stop.signal
  }

  handTo(supervisor: Supervisor): void {
    this.#supervisor = supervisor
  }

  // On Windows it says that the console was closed, and little time is left. Elsewhere a terminal
  // that is gone cannot be written to: that ends the swarm, and not the signal.
  #onHup(): void {
    if (process.platform === 'win32') return this.#onStop('SIGHUP', false)
    this.#supervisor?.roll()
  }

  #onStop(name: NodeJS.Signals, isCold: boolean): void {
    if (this.#echo.isEcho(name, performance.now())) return
    this.#stop.abort()
    this.#supervisor?.stop({ reason: name, isCold })
  }
}

/** The supervisor itself started this way: the same program runs its nodes. */
function commandOf(args: readonly string[]): {
  readonly program: string
  readonly args: readonly string[]
} {
  // A debugger of the supervisor has its port; nodes cannot have the same.
  const own = process.execArgv.filter((one) => !one.startsWith('--inspect'))
  return { program: process.execPath, args: [...own, process.argv[1] ?? '', ...args] }
}

/** What was compiled for one process is there for the next: every start of a node reads it. */
function environmentOf(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isChosen =
    own['NODE_COMPILE_CACHE'] !== undefined || own['NODE_DISABLE_COMPILE_CACHE'] !== undefined
  if (isChosen) return own
  return { ...own, NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
