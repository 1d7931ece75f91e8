// Data plane. The record that a task works on: how far it is, and what went wrong with it.
import type { StreamEvent } from '../core/event.ts'
import type { Fused } from '../core/pipeline.ts'
import type { OnError } from '../core/decision.ts'
import type { Decoder } from './decoder.ts'
import type { RecordPlace } from './held-record.ts'
import type { Savepoint } from './journal.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { ProcessorRun } from './processor.ts'

/** One processor's way in from one source topic. */
export interface Route {
  readonly run: ProcessorRun
  readonly steps: Fused
}

export interface Inflow {
  readonly queue: PartitionQueue
  readonly decoder: Decoder
  readonly routes: readonly Route[]
}

/** A record on its way through its agents. */
export interface RecordUnderWay {
  readonly inflow: {
    readonly queue: RecordPlace
    readonly routes: readonly {
      readonly run: { readonly name: string; readonly onError: OnError | undefined }
    }[]
  }
  /** `decode`: needs its event. `ready`: the next route may begin. Else something is awaited. */
  phase: 'decode' | 'ready' | 'running' | 'waiting'
  event: StreamEvent | undefined
  decodeError: unknown
  hasDecodeError: boolean
  routeIndex: number
  attempts: number
  /** How long the agent of now was seen to work on it; undefined until it was seen once. */
  ageMs: number | undefined
  /** Dead letter topics that have this record already. */
  deadLettered: Set<string> | undefined
}

/** The record being worked on, where that is one at a time. */
export interface OpenRecord extends RecordUnderWay {
  readonly inflow: Inflow
  /** Place of the inflow among those of its task. */
  readonly source: number
  savepoint: Savepoint
}

/** The same for the stall watch and for dumps. */
export interface OpenEvent {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly agent: string
  readonly ageMs: number
  /** Between two tries, or while its bytes are validated: no body runs. */
  readonly isWaiting: boolean
}

export function openRecord(inflow: Inflow, source: number): OpenRecord {
  return {
    inflow,
    source,
    phase: 'decode',
    event: undefined,
    decodeError: undefined,
    hasDecodeError: false,
    routeIndex: 0,
    attempts: 0,
    savepoint: start,
    ageMs: undefined,
    deadLettered: undefined
  }
}

/** The journal before the first write of a record. */
export const start: Savepoint = { writes: 0, outputs: 0 }

/** The agent or group whose turn it is. */
export function processorOf(open: RecordUnderWay): string {
  return open.inflow.routes[open.routeIndex]?.run.name ?? ''
}

/** For the stall watch and for dumps. */
export function openEventOf(open: RecordUnderWay): OpenEvent {
  const { cursor, partition, topic } = open.inflow.queue
  return {
    topic,
    partition,
    offset: cursor.offset,
    agent: processorOf(open),
    ageMs: open.ageMs ?? 0,
    isWaiting: open.phase === 'waiting'
  }
}

/** Goes on to the next processor of the record. */
export function toNextRoute(open: RecordUnderWay): void {
  open.routeIndex++
  open.attempts = 0
  // What cannot be frozen is decoded anew, so that no agent sees another's changes.
  open.phase = open.event?.isPlain === false ? 'decode' : 'ready'
}
