// The contract between a task and its worker: when it may run, and whom it tells.
import type { Decision, Failure, OnError } from '../core/decision.ts'
import type { Clock } from '../port/clock.ts'
import type { OutgoingRecord, TopicPartition } from '../port/transport.ts'
import type { Log } from './log.ts'
import type { Counters } from './monitor.ts'
import type { OpenEvent } from './open-record.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PulseRow } from './pulse.ts'
import type { RecordLimits } from './record-limits.ts'
import type { TaskTime } from './task-time.ts'

/** A task as its worker schedules it. */
export interface Schedulable {
  readonly id: string
  readonly queues: readonly PartitionQueue[]
  /** A record is being worked on. */
  readonly isOpen: boolean
  /** Works as far as it can without waiting. */
  pump(): void
}

/** How far a source partition is done: what a commit says of it. */
export interface TaskPosition extends TopicPartition {
  /** Everything below is finished, and what it caused is accepted. */
  readonly position: number
  readonly leaderEpoch: number | undefined
  /** Highest event time among what is finished. */
  readonly streamTime: number
  /** Records from there to the readable end. */
  readonly lag: number
}

/** A task as its worker opens, watches, commits and ends it. */
export interface RunningTask extends Schedulable {
  /** Of the last cut: for each queue its lowest unfinished record. */
  readonly positions: readonly TaskPosition[]
  readonly time: TaskTime
  /** An agent of it ended on purpose. */
  readonly isStopped: boolean
  /** Events that agents work on, or that wait for their next try. */
  readonly openEvents: readonly OpenEvent[]
  /** Offsets below which writes are encoded when they are accepted; set after a failed commit. */
  carefulUntil: ReadonlyMap<string, number> | undefined
  /** True while records are replayed among which is one that failed a commit. */
  readonly isCareful: boolean
  readonly finishedRecords: number
  /** A look at open events, this long after the one before: an age is what looks have seen. */
  look(passedMs: number): void
  /**
   * Stops between records: open events may finish until the signal aborts, then they are undone.
   * Afterwards the loops have ended and `positions` is the task's last cut.
   */
  drain(deadline: AbortSignal): Promise<void>
  /** Breaks off at once: nothing of open records remains. */
  abandon(): void
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
  /** False while a commit must come first: nothing more may be added to it. */
  mayAccept(): boolean
  /** Counts a record against this turn; false when others must have theirs first. */
  takeTurn(task: Schedulable): boolean
  /** Stream time must not run further ahead than this. */
  streamTimeMax(): number
  /** Where the task says what it has open; `place` where that is more than one event. */
  rowOf(task: string, place?: number): PulseRow
  /** A paused queue of the task got shorter: it may be fetched again. */
  shortened(task: Schedulable): void
  finished(task: Schedulable, outputs: readonly OutgoingRecord[]): void
  reportFailure(task: string, failure: Failure, decision: Decision, agent: string): void
  stopWorker(error: unknown): void
}
