// Data plane. The way into one agent where events of a task are worked on beside each other: whose
// turn it is by order, and a place for as many as may be inside at once.
import type { OnError } from '../core/decision.ts'
import type { StreamEvent } from '../core/event.ts'
import type { Fused } from '../core/pipeline.ts'
import type { Slot } from '../core/schema.ts'
import type { Effects } from './effects.ts'
import type { Failures } from './failures.ts'
import type { HeldRecord } from './held-record.ts'
import type { Journal } from './journal.ts'
import type { Inflow, RecordUnderWay } from './open-record.ts'
import type { ProcessorRun } from './processor.ts'
import type { PulseRow } from './pulse.ts'
import type { TaskTime } from './task-time.ts'

/** Room for one event in an agent: a run with a journal and a time of its own. */
export interface Place {
  readonly gate: Gate
  readonly run: ProcessorRun
  readonly journal: Journal
  readonly time: TaskTime
  readonly row: PulseRow
  record: InFlight | undefined
}

/** A gate on the way of one source's events. */
export interface GatedRoute {
  readonly run: Gate
  readonly steps: Fused
  /** No later route of this source leads to the same agent. */
  readonly isLast: boolean
}

export interface GatedInflow extends Omit<Inflow, 'routes'> {
  readonly routes: readonly GatedRoute[]
  /** How keys of its topic are written. */
  readonly key: Slot
  /** Each gate of its routes once. */
  readonly gates: readonly Gate[]
}

/** A record from its opening to its turn to be accepted. */
export interface InFlight extends RecordUnderWay {
  readonly inflow: { readonly queue: HeldRecord; readonly routes: readonly GatedRoute[] }
  readonly source: GatedInflow
  readonly sourceIndex: number
  /** Stream time with this record counted in, and none after it. */
  readonly streamTime: number
  readonly effects: Effects
  /** What orders it among others: its key. Undefined when it has none. */
  lane: unknown
  place: Place | undefined
  /** Routes whose agents it has left. */
  left: number
  /** Made when it first fails. */
  failures: Failures | undefined
  /** `done`: waits for its turn. `dropped`: given up, so nothing behind it is accepted. */
  end: 'done' | 'dropped' | undefined
}

export interface GateParts {
  readonly name: string
  readonly onError: OnError | undefined
  /** Events inside at once; with 1 they enter in the order of the log. */
  readonly limit: number
  readonly order: 'key' | 'none'
  /** It reads tables of others, as they were before its event: whatever is before must be done. */
  readonly isLastToEnter: boolean
  /** Makes the place of this index; called when it is first needed. */
  readonly place: (gate: Gate, index: number) => Place
}

export class Gate {
  readonly name: string
  readonly onError: OnError | undefined
  readonly limit: number
  readonly isLastToEnter: boolean
  readonly #parts: GateParts
  readonly #lanes = new Map<unknown, InFlight[]>()
  readonly #places: Place[] = []
  readonly #free: Place[] = []
  /** Records whose turn it is by order, and that found no place. */
  readonly #waiting = new Set<InFlight>()

  constructor(parts: GateParts) {
    this.name = parts.name
    this.onError = parts.onError
    this.limit = parts.limit
    this.isLastToEnter = parts.isLastToEnter
    this.#parts = parts
  }

  /** Places that were ever used. */
  get places(): readonly Place[] {
    return this.#places
  }

  get hasRoom(): boolean {
    return this.#free.length > 0 || this.#places.length < this.limit
  }

  // One at a time is in order whatever the key. A record without a key has no order to keep.
  #laneOf(record: InFlight): unknown {
    if (this.limit === 1) return everyKey
    return this.#parts.order === 'key' ? record.lane : undefined
  }

  /** A record that will come here is opened; records join in the order of their task. */
  join(record: InFlight): void {
    const key = this.#laneOf(record)
    if (key === undefined) return
    const lane = this.#lanes.get(key)
    if (lane === undefined) this.#lanes.set(key, [record])
    else lane.push(record)
  }

  isTurnOf(record: InFlight): boolean {
    const key = this.#laneOf(record)
    return key === undefined || this.#lanes.get(key)?.[0] === record
  }

  /** It will not come here again: returns the one that was behind it. */
  leave(record: InFlight): InFlight | undefined {
    const key = this.#laneOf(record)
    const lane = key === undefined ? undefined : this.#lanes.get(key)
    if (lane === undefined) return undefined
    lane.shift()
    if (lane.length === 0) this.#lanes.delete(key)
    return lane[0]
  }

  /** A place for it, or none: then it is told by `free` of the next one. */
  enter(record: InFlight): Place | undefined {
    const place = this.#free.pop() ?? this.#another()
    if (place === undefined) {
      this.#waiting.add(record)
      return undefined
    }
    // It may have come without being told: then nobody else is to miss its turn for it.
    this.#waiting.delete(record)
    place.record = record
    record.place = place
    return place
  }

  #another(): Place | undefined {
    if (this.#places.length === this.limit) return undefined
    const place = this.#parts.place(this, this.#places.length)
    this.#places.push(place)
    return place
  }

  /** Gives the place back; returns a record that waited for one. */
  free(place: Place): InFlight | undefined {
    const { record } = place
    if (record !== undefined) record.place = undefined
    place.record = undefined
    this.#free.push(place)
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      if (next.end === undefined) return next
    }
    return undefined
  }
}

const everyKey = Symbol('every key')

/** A record as it is opened. */
export function inFlight(
  source: GatedInflow,
  parts: Pick<InFlight, 'sourceIndex' | 'streamTime' | 'effects'> & { readonly held: HeldRecord }
): InFlight {
  const { effects, held, sourceIndex, streamTime } = parts
  return {
    inflow: { queue: held, routes: source.routes },
    source,
    sourceIndex,
    streamTime,
    effects,
    phase: 'decode',
    event: undefined as StreamEvent | undefined,
    decodeError: undefined,
    hasDecodeError: false,
    routeIndex: 0,
    attempts: 0,
    ageMs: undefined,
    deadLettered: undefined,
    lane: undefined,
    place: undefined,
    left: 0,
    failures: undefined,
    end: undefined
  }
}
