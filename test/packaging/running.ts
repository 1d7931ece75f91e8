// A program that runs in a stranger's folder, with all that it started, until its test is over.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { environment } from './package.ts'

const patienceMs = 120_000

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class Running {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()
  #text = ''
  #isOver = false

  constructor(
    t: TestContext,
    cwd: string,
    { command, env }: { readonly command: readonly string[]; readonly env?: NodeJS.ProcessEnv }
  ) {
    const [program = '', ...args] = command
    // A group of its own: `npx` has npm, a shell and the worker below it, and all must go.
    const detached = process.platform !== 'win32'
    const options = { cwd, detached, env: { ...environment(), ...env }, shell: !detached }
    this.#child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text
        this.#look()
      })
    }
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#isOver = true
      this.#look()
      return { code, signal }
    })
    t.after(() => this.#end())
  }

  /** Everything it printed so far. */
  get text(): string {
    return this.#text
  }

  /** The first part of its output that the pattern finds, now or later. */
  async finds(pattern: RegExp): Promise<string> {
    const found = (): RegExpExecArray | null => pattern.exec(this.#text)
    await this.#until(() => found() !== null || this.#isOver, String(pattern))
    const match = found() ?? assert.fail(`it ended without ${pattern}:\n${this.#text}`)
    return match[1] ?? match[0]
  }

  /** Its end, with what it printed when it was another one. */
  async ends(expected: Partial<Ended>): Promise<void> {
    await this.#until(() => this.#isOver, 'its end')
    assert.deepEqual(await this.ended, { code: null, signal: null, ...expected }, this.#text)
  }

  async #until(isDone: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      if (isDone()) resolve()
    }
    const fail = (): void => reject(new Error(`waited in vain for ${what}:\n${this.#text}`))
    const late = setTimeout(fail, patienceMs)
    this.#watchers.add(look)
    look()
    await promise.finally(() => {
      clearTimeout(late)
      this.#watchers.delete(look)
    })
  }

  #look(): void {
    for (const look of this.#watchers) look()
  }

  // The group outlives its first process when that one alone was killed.
  async #end(): Promise<void> {
    try {
      process.kill(-(this.#child.pid ?? assert.fail('it was not started')), 'SIGKILL')
    } catch {
      this.#child.kill('SIGKILL')
    }
    await this.ended
  }
}

/** Asks until the answer is this one; the last answer becomes the failure. */
export async function untilAnswered(url: string, expected: string): Promise<void> {
  const until = performance.now() + patienceMs
  for (;;) {
    const answer = await (await fetch(url)).text()
    if (answer === expected) return
    assert.ok(performance.now() < until, `${url} answers ${answer} and not ${expected}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
