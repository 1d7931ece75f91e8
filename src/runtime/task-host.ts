// The contract between a task and its worker: when it may run, and whom it tells.
import type { Decision, Failure, OnError } from '../core/decision.ts'
import type { Clock } from '../port/clock.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import type { Log } from './log.ts'
import type { Counters } from './monitor.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PulseRow } from './pulse.ts'
import type { RecordLimits } from './record-limits.ts'

/** A task as its worker schedules it. */
export interface Schedulable {
  readonly id: string
  readonly queues: readonly PartitionQueue[]
  /** A record is being worked on. */
  readonly isOpen: boolean
  /** Works as far as it can without waiting. */
  pump(): void
}

export interface TaskHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly counters: Counters
  readonly taskIdleMs: number
  readonly onError: OnError | undefined
  readonly deadLetter: string | undefined
  /** What topics take. */
  readonly limits: RecordLimits
  partitionsOf(topic: string): number
  /** False while a commit must come first, or while the worker is quiet. */
  mayDispatch(): boolean
  /** Counts a record against this turn; false when others must have theirs first. */
  takeTurn(task: Schedulable): boolean
  /** Stream time must not run further ahead than this. */
  streamTimeMax(): number
  /** Where the task says what it has open. */
  rowOf(task: string): PulseRow
  /** A paused queue of the task got shorter: it may be fetched again. */
  shortened(task: Schedulable): void
  finished(task: Schedulable, outputs: readonly OutgoingRecord[]): void
  reportFailure(task: string, failure: Failure, decision: Decision, agent: string): void
  stopWorker(error: unknown): void
}
