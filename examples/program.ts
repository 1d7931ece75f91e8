// Runs an example as a user would, in an empty folder, and lets a test wait for what it prints.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

export const repository = fileURLToPath(new URL('..', import.meta.url))

/** An empty folder, gone when the test is over. */
export async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tailrace-example-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

export interface ProgramOptions {
  /** As in the README: `npx tailrace …`, `npx node …`, `npm run demo -- …`. */
  readonly command: string
  readonly folder: string
  readonly timeoutMs?: number
  readonly environment?: Readonly<Record<string, string>>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that runs; killed when its test is over, whatever came of it. */
export class Program {
  readonly lines: string[] = []
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #timeoutMs: number
  readonly #watchers = new Set<() => void>()
  #isOver = false

  constructor(t: TestContext, { command, folder, timeoutMs = 60_000, ...options }: ProgramOptions) {
    this.#timeoutMs = timeoutMs
    const [program = '', ...args] = argumentsOf(command)
    const env = { ...environment(), ...options.environment }
    this.#child = spawn(program, args, { cwd: folder, env, stdio: 'pipe' })
    this.exited = this.#watch()
    t.after(() => this.end('SIGKILL'))
  }

  /** The first line that matches, printed already or yet to come. */
  async line(pattern: RegExp): Promise<string> {
    const found = (): string | undefined => this.lines.find((line) => pattern.test(line))
    await this.until(() => found() !== undefined, String(pattern))
    return found() as string
  }

  /** Until the lines printed so far satisfy the test. */
  until(isDone: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(late)
        this.#watchers.delete(look)
        if (error === undefined) resolve()
        else reject(error)
      }
      const fail = (why: string): void =>
        settle(new Error(`${why} without ${what}\n${this.lines.join('\n')}`))
      const look = (): void => {
        if (isDone()) settle()
        else if (this.#isOver) fail('the program ended')
      }
      const late = setTimeout(() => fail(`${this.#timeoutMs} ms passed`), this.#timeoutMs)
      this.#watchers.add(look)
      look()
    })
  }

  /** Address of its web pages, out of its start report. */
  async url(): Promise<string> {
    return (await this.line(/^web +http/)).replace(/^web +/, '')
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN
  }

  end(signal: NodeJS.Signals): Promise<Exit> {
    this.#child.kill(signal)
    return this.exited
  }

  async #watch(): Promise<Exit> {
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', (line) => {
        this.lines.push(line)
        this.#tell()
      })
    }
    const [code, signal] = (await once(this.#child, 'close')) as [Exit['code'], Exit['signal']]
    this.#isOver = true
    this.#tell()
    return { code, signal }
  }

  #tell(): void {
    for (const look of [...this.#watchers]) look()
  }
}

// The commands of the READMEs are typed in the repository; a test runs them in its own folder, on
// any free port, with the Node that runs the test.
function argumentsOf(command: string): string[] {
  const [first, ...rest] = command.split(' ')
  const here = rest.map((word) => (word.startsWith('examples/') ? join(repository, word) : word))
  if (command.startsWith('npm run demo -- ')) {
    const demo = join(repository, 'examples/page-views/demo.ts')
    return [process.execPath, '--conditions=tailrace-source', demo, ...here.slice(3)]
  }
  const [second, ...further] = here
  if (first === 'npx' && second === 'node') return [process.execPath, ...further]
  if (first === 'npx' && second === 'tailrace') {
    return [process.execPath, join(repository, 'bin/tailrace.js'), ...further]
  }
  throw new Error(`"${command}" is no command of an example`)
}

function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:TAILRACE|NODE_)/.test(name))
  return { ...Object.fromEntries(own), TAILRACE_WEB_PORT: '0' }
}
