// An app as its supervisor knows it: plain data, for it crosses from process to process as JSON.
import type { ControlPlace } from './control-place.ts'
import type { SwarmChoice } from './swarm-options.ts'

export interface SwarmDescription {
  readonly app: string
  /** As it may be shown. */
  readonly broker: string
  readonly guarantee: string
  /** Nodes to run. */
  readonly nodes: number
  readonly isAuto: boolean
  readonly cores: number
  /** Partitions of all that was selected. */
  readonly tasks: number
  /** What was selected, by sub-topology. */
  readonly units: readonly { readonly name: string; readonly partitions: number }[]
  /** Of node 0; the others count on from there. */
  readonly web: { readonly host: string; readonly port: number } | undefined
  /** Where the supervisor listens. */
  readonly control: ControlPlace
  /** Above those of its nodes: where a supervisor says how it is found. */
  readonly directory: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly session: { readonly heartbeatMs: number; readonly sessionTimeoutMs: number }
  readonly swarm: Omit<SwarmChoice, 'assign'>
  /** Not wrong, and worth knowing before anything starts. */
  readonly warnings: readonly string[]
}
