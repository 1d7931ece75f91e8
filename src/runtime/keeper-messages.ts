// What worker and keeper thread say to each other.
import type { ErrorCode } from '../core/errors.ts'
import type { BeatAnswer, JoinRequest } from '../port/coordinator.ts'
import type { ThreadDoor } from '../port/transport.ts'
import type { HealthReporting } from './node-place.ts'
import type { WatchedTask } from './pulse.ts'

export interface KeeperStart {
  readonly door: ThreadDoor
  readonly request: JoinRequest
  readonly shared: SharedArrayBuffer
  readonly lease: SharedArrayBuffer
  readonly leaseMsMax: number
  readonly tasks: readonly WatchedTask[]
  /** Of a node of a swarm. */
  readonly health: HealthReporting | undefined
}

export interface ReleaseMessage {
  readonly kind: 'release'
  readonly id: number
  readonly tasks: readonly string[]
}

export type ToKeeper = ReleaseMessage | { readonly kind: 'leave' }

export type FromKeeper =
  /** The log is there: reached for the first time, or again. */
  | { readonly kind: 'heard' }
  | { readonly kind: 'joined' }
  | { readonly kind: 'answer'; readonly answer: BeatAnswer; readonly membership: number }
  | { readonly kind: 'released'; readonly id: number }
  | { readonly kind: 'left' }
  | { readonly kind: 'error'; readonly error: ToldError; readonly isFatal: boolean }

/** An error as it crosses from thread to thread: its class does not. */
export interface ToldError {
  readonly message: string
  readonly code: ErrorCode | undefined
  readonly hint: string | undefined
}
