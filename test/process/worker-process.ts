// A worker as a process of its own: started, watched by what it prints, and ended by signals.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface WorkerOptions {
  /** Module to run; unbuilt, as all of this repository. */
  readonly module: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** In a process group of its own, as a shell does it: signals can reach all of that. */
  readonly isGroup?: boolean
}

/** Longest wait for a line or an ending: hit only by a test that fails. */
const patienceMs = 60_000

/** A runner ends a test file that takes too long by TERM: its workers must not outlive it. */
const running = new Set<ChildProcess>()
const killAll = (): void => {
  for (const child of running) child.kill('SIGKILL')
}
process.once('exit', killAll)
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    killAll()
    process.kill(process.pid, signal)
  })
}

export class WorkerProcess {
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  #text = ''
  #ending: Ending | undefined

  constructor({ args = [], cwd, env, isGroup = false, module }: WorkerOptions) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TAILRACE_'))
    this.#child = spawn(process.execPath, ['--conditions=tailrace-source', module, ...args], {
      cwd,
      // A test runner tells its children to report to it: a worker does not.
      env: { ...Object.fromEntries(inherited), NODE_TEST_CONTEXT: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: isGroup
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text
        this.#wake()
      })
    }
    running.add(this.#child)
    this.#child.once('exit', () => running.delete(this.#child))
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#ending = { code, signal }
      this.#wake()
      return this.#ending
    })
  }

  get pid(): number {
    return this.#child.pid ?? assert.fail('the worker was not started')
  }

  /** Everything it printed so far. */
  get text(): string {
    return this.#text
  }

  get hasEnded(): boolean {
    return this.#ending !== undefined
  }

  /** Stopped by a signal, until another one continues it. */
  get isAsleep(): boolean {
    assert.ok(this.#ending === undefined, `it ended and does not sleep:\n${this.#text}`)
    return /\) T /.test(readFileSync(`/proc/${this.pid}/stat`, 'latin1'))
  }

  signal(name: NodeJS.Signals): void {
    assert.ok(this.#ending === undefined, `it ended before ${name}:\n${this.#text}`)
    process.kill(this.pid, name)
  }

  /** To everybody in its process group, as the keys of a terminal do. */
  signalGroup(name: NodeJS.Signals): void {
    assert.ok(this.#ending === undefined, `it ended before ${name}:\n${this.#text}`)
    process.kill(-this.pid, name)
  }

  /** Resolves with what `pattern` found in its output, of which `from` characters are old. */
  async line(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    const find = (): RegExpMatchArray | null => this.#text.slice(from).match(pattern)
    await this.until(() => find() !== null || this.#ending !== undefined, `line ${pattern}`)
    return find() ?? assert.fail(`it ended without the line ${pattern}:\n${this.#text}`)
  }

  /** Resolves when it has its title, and with it its signal handlers: long before it has joined. */
  async titled(): Promise<void> {
    const title = (): string => readFileSync(`/proc/${this.pid}/cmdline`, 'latin1')
    while (!title().startsWith('tailrace')) await sleep(1)
  }

  /** Resolves when the start report is out: joined, and restored. */
  async started(): Promise<this> {
    await this.line(/^web +/m)
    return this
  }

  /** Waits for the end, which must be this one. */
  async ends(expected: Partial<Ending>): Promise<void> {
    await this.until(() => this.#ending !== undefined, 'its end')
    const wanted = { code: null, signal: null, ...expected }
    assert.deepEqual(this.#ending, wanted, `it ended otherwise:\n${this.#text}`)
  }

  /** Reads its standard output no further, as `| head` does. */
  closeOutput(): void {
    this.#child.stdout?.destroy()
  }

  /** The same for standard error. */
  closeErrors(): void {
    this.#child.stderr?.destroy()
  }

  async stop(): Promise<void> {
    this.signal('SIGTERM')
    await this.ends({ code: 0 })
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ends({ signal: 'SIGKILL' })
  }

  /** For the end of a test: whatever it does, it is gone. */
  async putDown(): Promise<void> {
    this.#child.kill('SIGKILL')
    // A child of its own may hold them open.
    this.#child.stdout?.destroy()
    this.#child.stderr?.destroy()
    await this.ended
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  /** Resolves when it is so; asked again after each thing that it prints, and at its end. */
  async until(test: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const wake = (): void => {
      if (test()) resolve()
    }
    const late = setTimeout(
      () => reject(new Error(`waited ${patienceMs} ms for ${what}:\n${this.#text}`)),
      patienceMs
    )
    this.#waiting.add(wake)
    wake()
    await promise.finally(() => {
      clearTimeout(late)
      this.#waiting.delete(wake)
    })
  }
}
