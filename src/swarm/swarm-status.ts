// What a supervisor shows of itself and its nodes.
import type { HealthFrame } from '../runtime/health-frames.ts'
import type { NodePhase } from './node-state.ts'
import type { RollStatus } from './roll.ts'

/** A node as the supervisor shows it. */
export interface NodeStatus {
  readonly id: number
  /** Undefined while it has no process. */
  readonly pid: number | undefined
  readonly phase: NodePhase
  readonly isReady: boolean
  /** What it waits for, though it was ready before. */
  readonly unready: string | undefined
  readonly uptimeMs: number | undefined
  /** Starts after the first, within the window. */
  readonly restarts: number
  readonly web: string | undefined
  /** What its keeper said last. */
  readonly health: HealthFrame | undefined
  readonly lastExit:
    | {
        readonly code: number | null
        readonly signal: NodeJS.Signals | null
        readonly reason: string | undefined
      }
    | undefined
}

export interface SwarmStatus {
  readonly app: string
  readonly pid: number
  readonly state: 'running' | 'quiet' | 'stopping' | 'stopped'
  /** How long ago it looked at its nodes. */
  readonly controlledMs: number
  /** The rolling restart of now, or the last one. */
  readonly roll: RollStatus | undefined
  readonly nodes: readonly NodeStatus[]
}
