// Runs programs of the JDK and of Maven, and says in a sentence when one is missing.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly cwd?: string
  /** A program that takes longer is killed, and the run rejects. */
  readonly timeoutMs?: number
}

const advice =
  'install a JDK of 17 or newer and Maven (Debian: apt-get install openjdk-17-jdk-headless ' +
  'maven), or name a broker of your own: TAILRACE_TEST_KAFKA=host:port'

/** `java`, `javac`: of JAVA_HOME when it is set, else of the path. */
export function jdkProgram(name: 'java' | 'javac'): string {
  const home = process.env['JAVA_HOME']
  if (home === undefined || home === '') return name
  const path = join(home, 'bin', name)
  return existsSync(path) ? path : name
}

/** Waits for the end of a program and keeps what it printed; its exit code is the caller's. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, input, timeoutMs = 600_000 }: RunOptions = {}
): Promise<Finished> {
  const child = spawn(program, args, { stdio: 'pipe', ...(cwd !== undefined && { cwd }) })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  // A program that ends before it has read everything is judged by its exit code.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  try {
    const [code, signal] = (await closed(program, child)) as [number | null, string | null]
    if (signal !== null) {
      throw new Error(`${program} ended by ${signal} (limit ${timeoutMs} ms):\n${output.stderr}`)
    }
    return { code, ...output }
  } finally {
    clearTimeout(timer)
  }
}

async function closed(program: string, child: ChildProcess): Promise<unknown[]> {
  try {
    return await once(child, 'close')
  } catch (error) {
    throw missing(program, error)
  }
}

/** The error for a program that could not be started. */
export function missing(program: string, cause: unknown): Error {
  const isAbsent = (cause as NodeJS.ErrnoException).code === 'ENOENT'
  const what = isAbsent ? 'was not found' : `could not be started (${String(cause)})`
  return new Error(`a Kafka broker for tests needs \`${program}\`, which ${what}: ${advice}`, {
    cause
  })
}
