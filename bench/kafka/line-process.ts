// A process that speaks in lines of JSON on its stdout, measured from outside by /proc.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { cpuMs, peakMb } from './process-tree.ts'

/** What it says: a name, the time in ms since 1970, and whatever belongs to it. */
export type Said = Readonly<Record<string, unknown>> & { readonly ev: string; readonly t: number }

export interface Start {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** What it writes to stderr goes here. */
  readonly errors: string
}

const running = new Set<LineProcess>()
process.once('exit', () => {
  for (const one of running) one.kill()
})

export class LineProcess {
  readonly startedAt: number = Date.now()
  readonly said: Said[] = []
  /** What else is on its stdout. */
  readonly lines: string[] = []
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #errors: string
  readonly #ended: Promise<void>
  readonly #waiting = new Map<string, PromiseWithResolvers<Said>>()
  #isEnded = false
  #cpuMs = 0
  #peakMb = 0

  constructor({ command, env, errors }: Start) {
    const [file = '', ...args] = command
    const stdio: ['pipe', 'pipe', 'pipe'] = ['pipe', 'pipe', 'pipe']
    this.#child = spawn(file, args, { env: { ...process.env, ...env }, stdio })
    this.#errors = errors
    running.add(this)
    this.#child.stderr.pipe(createWriteStream(errors))
    // It may be gone before it reads what is asked.
    this.#child.stdin.on('error', () => undefined)
    createInterface(this.#child.stdout).on('line', (line) => this.#hear(line))
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isEnded = true
        running.delete(this)
        const error = this.#failure()
        for (const { reject } of this.#waiting.values()) reject(error)
        resolve()
      }
      this.#child.once('close', end)
      this.#child.once('error', end)
    })
  }

  get isRunning(): boolean {
    return !this.#isEnded
  }

  /** @throws when it is gone, so that nobody waits for what it will never do */
  check(): void {
    if (this.#isEnded) throw this.#failure()
  }

  /** The first event of a name, whenever it comes. */
  event(name: string): Promise<Said> {
    const known = this.said.find(({ ev }) => ev === name)
    if (known !== undefined) return Promise.resolve(known)
    if (this.#isEnded) return Promise.reject(this.#failure())
    const waiting = this.#waiting.get(name) ?? Promise.withResolvers<Said>()
    waiting.promise.catch(() => undefined)
    this.#waiting.set(name, waiting)
    return waiting.promise
  }

  /** The end of what it wrote to stderr. */
  tail(): string {
    return tailOf(this.#errors)
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Processor time of it and of all below it so far, in ms; what was last seen once it is gone. */
  cpuMs(): number {
    if (this.#child.pid === undefined) return 0
    this.#cpuMs = Math.max(this.#cpuMs, cpuMs(this.#child.pid))
    return this.#cpuMs
  }

  /** The most that was ever resident, in MB. */
  peakMb(): number {
    if (this.#child.pid === undefined) return 0
    this.#peakMb = Math.max(this.#peakMb, peakMb(this.#child.pid))
    return this.#peakMb
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.kill(), 30_000)
    await this.#ended
    clearTimeout(timer)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #hear(line: string): void {
    // Some write other things on the same line before it.
    const start = line.indexOf('{"ev"')
    if (start < 0) {
      this.lines.push(line)
      return
    }
    const said = JSON.parse(line.slice(start)) as Said
    this.said.push(said)
    this.#waiting.get(said.ev)?.resolve(said)
    this.#waiting.delete(said.ev)
  }

  #failure(): Error {
    const how = this.#child.signalCode ?? this.#child.exitCode
    return new Error(`${this.#child.spawnargs.slice(-2).join(' ')} ended (${how}):\n${this.tail()}`)
  }
}

function tailOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-2_000)
  } catch {
    return ''
  }
}
