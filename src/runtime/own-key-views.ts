// Data plane. Tables as an agent holds them that works on several events at once: at the key of its
// own event alone, since any other may belong to an event that is worked on right now.
import { TailraceError } from '../core/errors.ts'
import type { Moment } from '../core/table.ts'
import type { Scope } from './scope.ts'
import type { Shard } from './shard.ts'
import type { WritableShard } from './table-views.ts'
import type { WritablePanes, WritableWindows } from './windowed-views.ts'

class OwnKey {
  readonly #shard: Shard
  readonly #scope: Scope

  constructor(shard: Shard, scope: Scope) {
    this.#shard = shard
    this.#scope = scope
  }

  /** @throws TAILRACE_AGENT_OTHER_KEY, TAILRACE_AGENT_NO_EVENT */
  check(key: unknown): void {
    const { key: own } = this.#scope.require('used table', this.#shard.table.name)
    if (key === own || this.#isSame(key, own)) return
    throw this.#refusal(`key ${JSON.stringify(key)}`, own)
  }

  refuseAll(): never {
    const { key: own } = this.#scope.require('used table', this.#shard.table.name)
    throw this.#refusal('all keys', own)
  }

  // Keys that are objects are equal when their bytes are.
  #isSame(key: unknown, own: unknown): boolean {
    if (typeof key !== 'object' || typeof own !== 'object' || own === null) return false
    const bytes = Buffer.from(this.#shard.keyBytes(key))
    return bytes.equals(this.#shard.keyBytes(own))
  }

  #refusal(what: string, own: unknown): TailraceError {
    return new TailraceError(
      'TAILRACE_AGENT_OTHER_KEY',
      `agent "${this.#scope.agent}" used ${what} of table "${this.#shard.table.name}" while it ` +
        `worked on an event of key ${JSON.stringify(own)}; with concurrency above 1 it is handed ` +
        'the row of that key alone'
    )
  }
}

/** What a table and its windows have in common: a value for a key. */
class OwnKeyValues<I extends WritableShard | WritablePanes> {
  protected readonly inner: I
  protected readonly own: OwnKey

  constructor(inner: I, own: OwnKey) {
    this.inner = inner
    this.own = own
  }

  get(key: unknown): unknown {
    this.own.check(key)
    return this.inner.get(key)
  }

  has(key: unknown): boolean {
    this.own.check(key)
    return this.inner.has(key)
  }

  set(key: unknown, value: unknown): void {
    this.own.check(key)
    this.inner.set(key, value)
  }

  update(key: unknown, change: (value: unknown) => unknown): unknown {
    this.own.check(key)
    return this.inner.update(key, change)
  }

  delete(key: unknown): boolean {
    this.own.check(key)
    return this.inner.delete(key)
  }
}

export class OwnKeyShard extends OwnKeyValues<WritableShard> {
  constructor(inner: WritableShard, shard: Shard, scope: Scope) {
    super(inner, new OwnKey(shard, scope))
  }

  entries(): never {
    return this.own.refuseAll()
  }
}

class OwnKeyPanes extends OwnKeyValues<WritablePanes> {
  get isLate(): boolean {
    return this.inner.isLate
  }
}

export class OwnKeyWindows {
  readonly #inner: WritableWindows
  readonly #own: OwnKey

  constructor(inner: WritableWindows, shard: Shard, scope: Scope) {
    this.#inner = inner
    this.#own = new OwnKey(shard, scope)
  }

  at(when: Moment): OwnKeyPanes {
    return new OwnKeyPanes(this.#inner.at(when), this.#own)
  }

  entries(): never {
    return this.#own.refuseAll()
  }
}
