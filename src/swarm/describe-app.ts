// Asks a process that ends again what the app is: the supervisor never imports what users wrote.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { SwarmDescription } from '../host/swarm-description.ts'
import type { NodeCommand } from './node-process.ts'

/** Where the description is written: standard output belongs to what users wrote. */
export const descriptionFd = 3

export type Described =
  | { readonly description: SwarmDescription; readonly code?: never }
  /** It has printed why itself. */
  | { readonly code: number; readonly description?: never }

/** Runs the describing process; a signal ends it as it ends this one. */
export async function describeApp(command: NodeCommand, signal: AbortSignal): Promise<Described> {
  const { args, environment, program } = command
  const child = spawn(program, [...args], {
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    windowsHide: true,
    signal
  })
  const ended = once(child, 'close').catch((error: unknown): readonly unknown[] => {
    if (signal.aborted) return []
    throw error
  })
  const pipe = child.stdio[descriptionFd] as Readable
  let text = ''
  pipe.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const [code] = await ended
  if (code !== 0 || text === '') return { code: typeof code === 'number' && code > 0 ? code : 1 }
  const description: SwarmDescription = JSON.parse(text)
  return { description }
}
