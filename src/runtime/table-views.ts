// Data plane. What agents hold of a table: plain shards to write or read, bound to their scope.
import { TailraceError } from '../core/errors.ts'
import { absent, type Entry, untouched } from './entry.ts'
import { scanRows } from './scan.ts'
import type { Scope } from './scope.ts'
import type { Shard } from './shard.ts'

/** A plain table for its writer: it sees the writes of its own open event. */
export class WritableShard {
  readonly #shard: Shard
  readonly #scope: Scope

  constructor(shard: Shard, scope: Scope) {
    this.#shard = shard
    this.#scope = scope
  }

  get(key: unknown): unknown {
    return this.#shard.reveal(currentOf(this.#shard.entryOf(key, 0)))
  }

  has(key: unknown): boolean {
    return currentOf(this.#shard.entryOf(key, 0)) !== absent
  }

  set(key: unknown, value: unknown): void {
    this.#scope.require('wrote table', this.#shard.table.name)
    const held = this.#shard.held(value)
    this.#shard.write(this.#scope.journal, this.#shard.entryOf(key, 0), held)
  }

  update(key: unknown, change: (value: unknown) => unknown): unknown {
    this.#scope.require('wrote table', this.#shard.table.name)
    const entry = this.#shard.entryOf(key, 0)
    const value = change(this.#shard.reveal(currentOf(entry)))
    this.#shard.write(this.#scope.journal, entry, this.#shard.held(value))
    return value
  }

  delete(key: unknown): boolean {
    this.#scope.require('wrote table', this.#shard.table.name)
    const entry = this.#shard.entryOf(key, 0)
    if (currentOf(entry) === absent) return false
    this.#shard.write(this.#scope.journal, entry, absent)
    return true
  }

  entries(): AsyncIterable<readonly [unknown, unknown]> {
    return plainRows(this.#shard, currentOf)
  }
}

/** A plain table for an agent that only reads it: as it was before the open record. */
export class ReadableShard {
  readonly #shard: Shard

  constructor(shard: Shard) {
    this.#shard = shard
  }

  get(key: unknown): unknown {
    return this.#shard.reveal(this.#shard.entryOf(key, 0).value)
  }

  has(key: unknown): boolean {
    return this.#shard.entryOf(key, 0).value !== absent
  }

  entries(): AsyncIterable<readonly [unknown, unknown]> {
    return plainRows(this.#shard, (entry) => entry.value)
  }

  set(): never {
    return refuseWrite(this.#shard)
  }

  update(): never {
    return refuseWrite(this.#shard)
  }

  delete(): never {
    return refuseWrite(this.#shard)
  }
}

/** What a row holds for the body of the open event. */
export function currentOf(entry: Entry): unknown {
  return entry.pending === untouched ? entry.value : entry.pending
}

/** JavaScript callers get a sentence where TypeScript would not have compiled. */
export function refuseWrite(shard: Shard): never {
  throw new TailraceError(
    'TAILRACE_AGENT_READ_ONLY',
    `table "${shard.table.name}" is only read here`
  )
}

async function* plainRows(
  shard: Shard,
  valueOf: (entry: Entry) => unknown
): AsyncGenerator<readonly [unknown, unknown]> {
  for await (const row of scanRows(shard, { valueOf, horizon: Number.NEGATIVE_INFINITY })) {
    yield [row.key, row.value]
  }
}
