// The process of one node: started, heard, and ended. Holds everything that must go when it goes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { messageOf } from '../core/errors.ts'
import type { FromNode, ToNode } from '../host/node-messages.ts'
import { healthFd, nodeEnvironment } from '../host/node-place.ts'
import { dumpRequest, Lines, type NodeFrame } from '../runtime/health-frames.ts'
import type { NodePlace } from '../runtime/node-place.ts'

/** What the supervisor is told of a process; nothing comes after `onExit`. */
export interface NodeListener {
  onMessage(message: FromNode): void
  onFrame(frame: NodeFrame): void
  onExit(code: number | null, signal: NodeJS.Signals | null): void
}

/** A process of a node, whatever it is made of. */
export interface NodeProcess {
  readonly pid: number
  /** False where the channel is closed. */
  tell(message: ToNode): boolean
  signal(name: NodeJS.Signals): void
  /** Asks its keeper, which answers though the loop be blocked. */
  requestDump(): void
}

export interface NodeCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

/** Starts the process of a node. */
export function startNode(
  command: NodeCommand,
  place: NodePlace,
  listener: NodeListener
): NodeProcess {
  try {
    return new RealNode(command, place, listener)
  } catch (error) {
    // No memory for it, or arguments that are too long: it may be there the next time.
    return new UnstartedNode(error, listener)
  }
}

/** A process that could not be made. */
class UnstartedNode implements NodeProcess {
  readonly pid = 0

  constructor(error: unknown, to: NodeListener) {
    setImmediate(() => {
      to.onMessage({ kind: 'failed', code: undefined, message: messageOf(error) })
      to.onExit(null, null)
    })
  }

  tell(): boolean {
    return false
  }

  signal(): void {}

  requestDump(): void {}
}

class RealNode implements NodeProcess {
  readonly #child: ChildProcess
  readonly #health: Socket | undefined
  #hasExited = false

  constructor({ args, environment, program }: NodeCommand, place: NodePlace, to: NodeListener) {
    this.#child = spawn(program, [...args], {
      env: { ...environment, [nodeEnvironment]: JSON.stringify(place) },
      // Output goes straight to ours: it outlives a supervisor that is killed.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
      // A Ctrl-C of the terminal is the supervisor's to hand on, once and in order.
      detached: process.platform !== 'win32',
      windowsHide: true
    })
    // A duplex, because both sides speak: the types know only the common case.
    const pipes: ChildProcess['stdio'] | undefined = this.#child.stdio
    // Without descriptors for them there are none, and its error is still to come.
    this.#health = pipes?.[healthFd] as Socket | undefined
    const lines = new Lines((line) => this.#frame(line, to))
    this.#health?.setEncoding('utf8').on('data', (text: string) => lines.push(text))
    // It ends in the middle of a word: that it is gone is told by its exit.
    this.#health?.on('error', () => undefined)
    this.#child.on('message', (message: unknown) => {
      if (!this.#hasExited && isOurs(message)) to.onMessage(message)
    })
    this.#child.on('error', ({ message }) => {
      // It could not be started at all; otherwise its exit is still to come.
      if (this.#child.pid !== undefined) return
      to.onMessage({ kind: 'failed', code: undefined, message })
      this.#hasExited = true
      to.onExit(null, null)
    })
    this.#child.once('exit', (code, signal) => void this.#ended(to, code, signal))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  tell(message: ToNode): boolean {
    if (!this.#child.connected) return false
    this.#child.send(message, () => undefined)
    return true
  }

  // By its handle and not by its number, which another process may have by now.
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  requestDump(): void {
    if (this.#health?.writable === true) this.#health.write(`${dumpRequest}\n`)
  }

  #frame(line: string, to: NodeListener): void {
    if (this.#hasExited) return
    const frame: NodeFrame | undefined = parsed(line)
    if (frame !== undefined) to.onFrame(frame)
  }

  // What it said last is read before its end is told.
  async #ended(
    to: NodeListener,
    code: number | null,
    signal: NodeJS.Signals | null
  ): Promise<void> {
    const cut = setTimeout(() => this.#close(), lastWordsMsMax)
    await Promise.all([closed(this.#child, 'disconnect'), closed(this.#health, 'close')])
    clearTimeout(cut)
    this.#hasExited = true
    to.onExit(code, signal)
  }

  // A child of the node may hold the other ends: ours are closed all the same.
  #close(): void {
    this.#health?.destroy()
    if (this.#child.connected) this.#child.disconnect()
  }
}

/** From the end of a process to that of its pipes; longer only where a child of it has them. */
const lastWordsMsMax = 500

async function closed(what: ChildProcess | Socket | undefined, event: string): Promise<void> {
  const isClosed = what === undefined || ('connected' in what ? !what.connected : what.destroyed)
  if (!isClosed) await once(what, event)
}

// Channel and pipe are the program's too: what is none of ours is left alone.
function isOurs(message: unknown): message is FromNode {
  const kind = kindOf(message)
  return typeof kind === 'string' && Object.hasOwn(heard, kind)
}

const heard: Readonly<Record<FromNode['kind'], true>> = {
  ready: true,
  'not-ready': true,
  failed: true
}

function parsed(line: string): NodeFrame | undefined {
  try {
    const value: unknown = JSON.parse(line)
    const kind = kindOf(value)
    return kind === 'health' || kind === 'dump' ? (value as NodeFrame) : undefined
  } catch {
    return undefined
  }
}

function kindOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
}
