// Asks a process that ends again what the app is: the supervisor never imports what users wrote.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { formatDuration } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import { exitCodes } from '../host/exit-codes.ts'
import type { SwarmDescription } from '../host/swarm-description.ts'
import type { NodeCommand } from './node-process.ts'

/** Where the description is written: standard output belongs to what users wrote. */
export const descriptionFd = 3

export type Described =
  | { readonly description: SwarmDescription; readonly code?: never }
  /** It has printed why itself. */
  | { readonly code: number; readonly description?: never }

/** An app that has not been imported by then will not be. */
const importMsMax = 120_000

/**
 * Runs the describing process; a signal ends it as it ends this one. It ends by itself when this
 * one is gone.
 *
 * @throws TAILRACE_SWARM_NOT_DESCRIBED when it ended without a word, or not at all
 */
export async function describeApp(
  command: NodeCommand,
  signal: AbortSignal,
  limitMs: number = importMsMax
): Promise<Described> {
  const { args, environment, program } = command
  const child = spawn(program, [...args], {
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'ipc'],
    windowsHide: true,
    // It has nothing to finish, and what it imported may not listen.
    killSignal: 'SIGKILL',
    signal
  })
  let isLate = false
  const late = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, limitMs)
  const ended = once(child, 'close').catch((error: unknown): readonly unknown[] => {
    if (signal.aborted) return []
    throw error
  })
  const pipe = child.stdio[descriptionFd] as Readable
  let text = ''
  pipe.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const [code, killedBy] = await ended.finally(() => clearTimeout(late))
  if (signal.aborted) return { code: exitCodes.stopped }
  if (isLate) throw undescribed(`was not imported within ${formatDuration(limitMs)}`)
  if (typeof killedBy === 'string') throw undescribed(`was ended by ${killedBy}`)
  // It has said why.
  if (typeof code === 'number' && code > 0) return { code }
  if (text === '') throw undescribed('ended its process while it was imported')
  const description: SwarmDescription = JSON.parse(text)
  return { description }
}

function undescribed(what: string): TailraceError {
  return new TailraceError('TAILRACE_SWARM_NOT_DESCRIBED', `the app ${what}`)
}
