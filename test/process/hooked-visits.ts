// The same app with one event that does something to its worker: HOOK says what, HOOK_ID to which.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Visit, visitsApp } from './visits.ts'

const computeMs = Number(process.env['HOOK_MS'] ?? 0)

function computeForLong(): void {
  const until = performance.now() + computeMs
  while (performance.now() < until) Math.hypot(performance.now(), until)
}

/** Blocks the loop where no JavaScript runs. */
function blockForLong(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, computeMs)
}

/** A child that ends with the signal of the task; its pid is for the test to look after. */
async function waitForChild(signal: AbortSignal): Promise<void> {
  const child = spawn('sleep', ['600'], { signal, stdio: 'ignore' })
  say(`child ${child.pid}`)
  await ended(child)
}

/** A child that ends when its standard input does; it says its pid itself. */
function waitForPipedChild(): Promise<void> {
  const args = [process.env['HOOK_CHILD'] ?? '']
  return ended(spawn(process.execPath, args, { stdio: ['pipe', 'inherit', 'inherit'] }))
}

async function ended(child: ChildProcess): Promise<void> {
  await new Promise((resolve) => child.once('exit', resolve).once('error', resolve))
}

/** Looks well until the worker stops; then it computes on. */
async function computeAtStop(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  computeForLong()
}

function hook(signal: AbortSignal): void | Promise<void> {
  switch (process.env['HOOK']) {
    case 'compute':
      return computeForLong()
    case 'never':
      return new Promise(() => undefined)
    case 'wait':
      return sleep(computeMs)
    case 'child':
      return waitForChild(signal)
    case 'piped-child':
      return waitForPipedChild()
    case 'compute-at-stop':
      return computeAtStop(signal)
    case 'block':
      return blockForLong()
    case 'throw-later':
      setTimeout(() => {
        throw new Error('nobody catches this')
      })
      return new Promise(() => undefined)
    case 'reject-later':
      void Promise.reject(new Error('nobody awaits this'))
      return new Promise(() => undefined)
    case 'throw':
      throw new Error('this visit cannot be counted')
    case undefined:
    default:
      throw new Error('HOOK names nothing that is known')
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function before({ id }: Visit, signal: AbortSignal): void | Promise<void> {
  if (id !== Number(process.env['HOOK_ID'] ?? 0)) return undefined
  say('hook begins')
  const result = hook(signal)
  if (!(result instanceof Promise)) return say('hook ends')
  return result.then(() => say('hook ends'))
}

await visitsApp({ before }).app.main()
