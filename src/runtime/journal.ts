// Data plane. What the open record has done so far: private until accepted, undone when thrown.
import { invariant } from '../core/errors.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import type { Effects, Holds } from './effects.ts'
import { type Entry, type JournaledShard, untouched } from './entry.ts'

/** A point in the journal to which an agent's part of the record can be undone. */
export interface Savepoint {
  readonly writes: number
  readonly outputs: number
}

interface Write {
  shard: JournaledShard
  entry: Entry
  /** What the entry held for the open record until then. */
  before: unknown
}

/** Slots kept from one record to the next; few records write more. */
const slotsKeptMax = 64

export class Journal {
  // Used again for each record: arrays that are emptied give their memory back each time.
  readonly #writes: Write[] = []
  #writeCount = 0
  #outputs: OutgoingRecord[] = []

  get isEmpty(): boolean {
    return this.#writeCount === 0 && this.#outputs.length === 0
  }

  mark(): Savepoint {
    const { length } = this.#outputs
    return this.#writeCount + length === 0 ? start : { writes: this.#writeCount, outputs: length }
  }

  write(shard: JournaledShard, entry: Entry, value: unknown): void {
    const slot = this.#writes[this.#writeCount]
    if (slot === undefined) this.#writes.push({ shard, entry, before: entry.pending })
    else {
      slot.shard = shard
      slot.entry = entry
      slot.before = entry.pending
    }
    this.#writeCount++
    entry.pending = value
  }

  send(record: OutgoingRecord): void {
    this.#outputs.push(record)
  }

  /** Takes back everything after the savepoint, last write first. */
  undo(savepoint: Savepoint): void {
    while (this.#writeCount > savepoint.writes) {
      const write = this.#writes[--this.#writeCount]
      invariant(write !== undefined, 'a journal lost an entry')
      write.entry.pending = write.before
    }
    this.#outputs.length = savepoint.outputs
  }

  /** True when the open record has written this row. */
  touches(entry: Entry): boolean {
    for (let index = 0; index < this.#writeCount; index++) {
      if (this.#writes[index]?.entry === entry) return true
    }
    return false
  }

  /** Hands over what the record did and begins anew; what it wrote stays pending. */
  handOver(to: Effects): void {
    for (let index = 0; index < this.#writeCount; index++) {
      const { entry, shard } = this.#writes[index] as Write
      to.write(shard, entry)
    }
    for (const output of this.#outputs) to.send(output)
    this.#writeCount = 0
    // There are many places, each with a journal: none keeps rows of events that it is done with.
    this.#writes.length = 0
    this.#outputs.length = 0
  }

  /** Undoes the record where others of its task may be held. */
  drop(holds: Holds): void {
    const entries = this.#writes.slice(0, this.#writeCount).map(({ entry }) => entry)
    this.undo(start)
    this.#writes.length = 0
    // What it had found there may have been accepted meanwhile.
    for (const entry of entries) if (!holds.has(entry)) entry.pending = untouched
  }

  /** Encodes every write, so that what cannot be committed fails its own event (careful mode). */
  checkWrites(): void {
    for (let index = 0; index < this.#writeCount; index++) {
      const { entry, shard } = this.#writes[index] as Write
      shard.checkEncodable(entry)
    }
  }

  /** Makes the writes the accepted state, and returns the outputs to send. */
  accept(timestamp: number): readonly OutgoingRecord[] {
    for (let index = 0; index < this.#writeCount; index++) {
      const { entry, shard } = this.#writes[index] as Write
      // A key written twice is accepted once, with its last value.
      if (entry.pending !== untouched) shard.accept(entry, timestamp)
    }
    this.#writeCount = 0
    if (this.#writes.length > slotsKeptMax) this.#writes.length = slotsKeptMax
    if (this.#outputs.length === 0) return noOutputs
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }
}

const noOutputs: readonly OutgoingRecord[] = []
const start: Savepoint = { writes: 0, outputs: 0 }
