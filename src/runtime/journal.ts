// Data plane. What the open record has done so far: private until accepted, undone when thrown.
import { invariant } from '../core/errors.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import { type Entry, untouched } from './entry.ts'

/** What the journal needs of the shard that a write belongs to. */
export interface JournaledShard {
  /** Makes the pending value of a row its accepted one. */
  accept(entry: Entry, timestamp: number): void
  /** @throws TAILRACE_SCHEMA_* when the pending value could not be committed */
  checkEncodable(entry: Entry): void
}

/** A point in the journal to which an agent's part of the record can be undone. */
export interface Savepoint {
  readonly writes: number
  readonly outputs: number
}

export class Journal {
  readonly #entries: Entry[] = []
  readonly #shards: JournaledShard[] = []
  readonly #before: unknown[] = []
  #outputs: OutgoingRecord[] = []

  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#outputs.length === 0
  }

  mark(): Savepoint {
    return { writes: this.#entries.length, outputs: this.#outputs.length }
  }

  write(shard: JournaledShard, entry: Entry, value: unknown): void {
    this.#entries.push(entry)
    this.#shards.push(shard)
    this.#before.push(entry.pending)
    entry.pending = value
  }

  send(record: OutgoingRecord): void {
    this.#outputs.push(record)
  }

  /** Takes back everything after the savepoint, last write first. */
  undo(savepoint: Savepoint): void {
    while (this.#entries.length > savepoint.writes) {
      const entry = this.#entries.pop()
      this.#shards.pop()
      const before = this.#before.pop()
      invariant(entry !== undefined, 'a journal lost an entry')
      entry.pending = before
    }
    this.#outputs.length = savepoint.outputs
  }

  /** Encodes every write, so that what cannot be committed fails its own event (careful mode). */
  checkWrites(): void {
    for (let index = 0; index < this.#entries.length; index++) {
      const entry = this.#entries[index] as Entry
      const shard = this.#shards[index] as JournaledShard
      shard.checkEncodable(entry)
    }
  }

  /** Makes the writes the accepted state, and returns the outputs to send. */
  accept(timestamp: number): readonly OutgoingRecord[] {
    for (let index = 0; index < this.#entries.length; index++) {
      const entry = this.#entries[index] as Entry
      // A key written twice is accepted once, with its last value.
      if (entry.pending === untouched) continue
      const shard = this.#shards[index] as JournaledShard
      shard.accept(entry, timestamp)
    }
    this.#entries.length = 0
    this.#shards.length = 0
    this.#before.length = 0
    if (this.#outputs.length === 0) return noOutputs
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }
}

const noOutputs: readonly OutgoingRecord[] = []
