// What worker and keeper thread say to each other.
import type { BeatAnswer, JoinRequest, ThreadDoor } from '../port/transport.ts'
import type { WatchedTask } from './pulse.ts'

export interface KeeperStart {
  readonly door: ThreadDoor
  readonly request: JoinRequest
  readonly shared: SharedArrayBuffer
  readonly tasks: readonly WatchedTask[]
}

export type ToKeeper =
  | { readonly kind: 'release'; readonly id: number; readonly tasks: readonly string[] }
  | { readonly kind: 'leave' }

export type FromKeeper =
  | { readonly kind: 'joined' }
  | { readonly kind: 'answer'; readonly answer: BeatAnswer }
  | { readonly kind: 'released'; readonly id: number }
  | { readonly kind: 'left' }
  | { readonly kind: 'error'; readonly message: string; readonly isFatal: boolean }
