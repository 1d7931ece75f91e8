// A task as the worker holds it: what runs, its shards, what it owns, and how far it is committed.
import type { SubTopology } from '../core/topology.ts'
import type { OwnedTask } from '../port/coordinator.ts'
import type { CommittedOffset } from '../port/transport.ts'
import type { RowBlock } from './row-block.ts'
import type { Shard } from './shard.ts'
import type { RestoreProgress } from './recovery.ts'
import type { RunningTask } from './task-host.ts'

export type TaskState = 'restoring' | 'running' | 'draining' | 'closed'

export interface OpenTask {
  readonly owned: OwnedTask
  readonly sub: SubTopology
  readonly partition: number
  readonly shards: readonly Shard[]
  readonly run: RunningTask
  state: TaskState
  progress: RestoreProgress | undefined
  /** Last committed next offset of each source topic; undefined before the first commit. */
  committed: Map<string, number>
  /** Stream time at that commit: whatever comes later may be undone by a crash. */
  committedTime: number
}

/** What one task contributes to a commit: its last cut. */
export interface Cut {
  readonly task: OpenTask
  readonly streamTime: number
  readonly offsets: readonly CommittedOffset[]
  readonly rows: readonly { readonly shard: Shard; readonly block: RowBlock }[]
}

/** True when a commit would change anything. */
export function hasProgress(task: OpenTask): boolean {
  return (
    task.run.positions.some(({ position, topic }) => task.committed.get(topic) !== position) ||
    task.shards.some((shard) => shard.hasDirty)
  )
}

/** Stream time travels in the metadata of the committed offset. */
export function metadataOf(streamTime: number): string {
  return Number.isFinite(streamTime) ? `t=${streamTime}` : ''
}

export function streamTimeOf(metadata: string): number {
  const match = /^t=(-?\d+)$/.exec(metadata)
  return match === null ? Number.NEGATIVE_INFINITY : Number(match[1])
}
