// Data plane. What a record did that is done before an earlier one: held until its turn comes, so
// that what a task has accepted is always what its records up to one point have done.
import type { Entry, JournaledShard } from './entry.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import { rowBytes } from './row-size.ts'

/** Rows that finished records of a task have written and that are not accepted yet. */
export class Holds {
  readonly #counts = new Map<Entry, number>()

  has(entry: Entry): boolean {
    return this.#counts.has(entry)
  }

  add(entry: Entry): void {
    this.#counts.set(entry, (this.#counts.get(entry) ?? 0) + 1)
  }

  remove(entry: Entry): void {
    const left = (this.#counts.get(entry) ?? 1) - 1
    if (left === 0) this.#counts.delete(entry)
    else this.#counts.set(entry, left)
  }
}

interface HeldWrite {
  readonly shard: JournaledShard
  readonly value: unknown
  readonly bytes: number
}

/** Of one record. Rows stay pending meanwhile: the next event of its key sees what it wrote. */
export class Effects {
  readonly #holds: Holds
  readonly #writes = new Map<Entry, HeldWrite>()
  readonly #outputs: OutgoingRecord[] = []
  /** Of its outputs and rows. */
  bytes = 0

  constructor(holds: Holds) {
    this.#holds = holds
  }

  write(shard: JournaledShard, entry: Entry): void {
    const earlier = this.#writes.get(entry)
    if (earlier === undefined) this.#holds.add(entry)
    const value = entry.pending
    const bytes = rowBytes(value)
    this.#writes.set(entry, { shard, value, bytes })
    this.bytes += bytes - (earlier?.bytes ?? 0)
  }

  send(record: OutgoingRecord): void {
    this.#outputs.push(record)
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  }

  /**
   * Makes the writes the accepted state, and returns the outputs to send.
   *
   * `isOpen` says whether an event that is worked on now has written the row too.
   */
  accept(timestamp: number, isOpen: (entry: Entry) => boolean): readonly OutgoingRecord[] {
    for (const [entry, { shard, value }] of this.#writes) {
      this.#holds.remove(entry)
      const later = entry.pending
      entry.pending = value
      shard.accept(entry, timestamp)
      if (this.#holds.has(entry) || isOpen(entry)) entry.pending = later
    }
    return this.#outputs
  }
}
