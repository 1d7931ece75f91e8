// Data plane. Records of a task that are worked on beside each other: opened in order, and kept in
// that order until they are accepted.
import type { GatedInflow, InFlight } from './gate.ts'
import { type OpenEvent, openEventOf } from './open-record.ts'
import type { TaskPosition } from './task-host.ts'

export class Flight {
  /** Opened and not accepted. */
  readonly #records: InFlight[] = []

  get size(): number {
    return this.#records.length
  }

  get first(): InFlight | undefined {
    return this.#records[0]
  }

  add(record: InFlight): void {
    this.#records.push(record)
  }

  /** The first one is accepted. */
  shift(): void {
    this.#records.shift()
  }

  /** True when none is left that can still be accepted. */
  get isOver(): boolean {
    const { first } = this
    return first === undefined || first.end === 'dropped'
  }

  /** For each source: its lowest record that is not accepted, else what it hands out next. */
  positions(inflows: readonly GatedInflow[]): readonly TaskPosition[] {
    return inflows.map((inflow) => {
      const { queue } = inflow
      const { end, partition, streamTime, topic } = queue
      const lowest = this.#records.find(({ source }) => source === inflow)?.inflow.queue
      const position = lowest?.cursor.offset ?? queue.position
      const { leaderEpoch } = lowest ?? queue
      const lag = Math.max(0, end - position)
      return { topic, partition, position, leaderEpoch, streamTime, lag }
    })
  }

  /** Those that an agent works on, or that wait for their next try. */
  get openEvents(): readonly OpenEvent[] {
    return this.#records
      .filter(({ end, phase }) => end === undefined && (phase === 'running' || phase === 'waiting'))
      .map(openEventOf)
  }

  /** A look at what is worked on, this long after the one before. */
  look(passedMs: number): void {
    for (const record of this.#records) {
      if (record.phase !== 'running') continue
      record.ageMs = record.ageMs === undefined ? 0 : record.ageMs + passedMs
    }
  }

  /**
   * What a stop does not wait for: a record that waits for its next try, and all behind it, which
   * cannot be accepted without it; and what no event at work stands behind.
   */
  dropUnneeded(end: (record: InFlight) => void): void {
    const records = this.#records
    const waiting = records.findIndex(({ end, phase }) => end === undefined && phase === 'waiting')
    const last = records.findLastIndex(({ end, phase }) => end === 'done' || phase === 'running')
    this.#dropFrom(waiting < 0 ? last + 1 : Math.min(waiting, last + 1), end)
  }

  /** Gives up a record and all behind it; `end` is called for each that was not given up before. */
  drop(record: InFlight, end: (record: InFlight) => void): void {
    this.#dropFrom(this.#records.indexOf(record), end)
  }

  dropAll(end: (record: InFlight) => void): void {
    this.#dropFrom(0, end)
  }

  #dropFrom(index: number, end: (record: InFlight) => void): void {
    const dropped = this.#records.slice(index).filter((record) => record.end !== 'dropped')
    // All before any of them gives its place back: that is for one that goes on.
    for (const record of dropped) record.end = 'dropped'
    // From the last one on: a later record may have seen what an earlier one of its key wrote.
    for (const record of dropped.toReversed()) end(record)
  }
}
