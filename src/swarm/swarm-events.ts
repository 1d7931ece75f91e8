// What a supervisor tells whoever subscribes: one closed list, on Node's diagnostics channels.
import { channel } from 'node:diagnostics_channel'

interface OfNode {
  readonly node: number
}

/** By name, what each is published with; the channel is called `tailrace:swarm.<name>`. */
export interface SwarmEvents {
  /** The app is known and checked, and no node was started. */
  readonly 'before-warmup': { readonly app: string; readonly nodes: number }
  readonly 'node.before-start': OfNode & { readonly isRestart: boolean }
  readonly 'node.started': OfNode & { readonly pid: number }
  /** Assigned, with every table restored. */
  readonly 'node.ready': OfNode & { readonly pid: number; readonly bootMs: number }
  /** The supervisor has looked at every node. */
  readonly control: { readonly ready: number; readonly nodes: number }
  /** It was told to stop: with a health code, or undefined when somebody asked for it. */
  readonly 'node.stopping': OfNode & {
    readonly pid: number
    readonly status: number | undefined
    readonly reason: string
  }
  /** It did not stop, and is killed. */
  readonly 'node.terminating': OfNode & { readonly pid: number; readonly reason: string }
  readonly 'node.exited': OfNode & {
    readonly pid: number
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly uptimeMs: number
  }
  readonly 'node.restarting': OfNode & { readonly delayMs: number }
  /** All of them are being stopped. */
  readonly stopping: { readonly reason: string; readonly isCold: boolean }
}

export type Publish = <N extends keyof SwarmEvents>(name: N, message: SwarmEvents[N]) => void

const listed: { readonly [N in keyof SwarmEvents]: true } = {
  'before-warmup': true,
  'node.before-start': true,
  'node.started': true,
  'node.ready': true,
  control: true,
  'node.stopping': true,
  'node.terminating': true,
  'node.exited': true,
  'node.restarting': true,
  stopping: true
}

/** All of them. */
export const swarmEventNames: readonly string[] = Object.keys(listed)

const prefix = 'tailrace:swarm.'

export const publish: Publish = (name, message) => {
  channel(`${prefix}${name}`).publish(message)
}
