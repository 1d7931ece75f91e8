// Data plane. What agents hold of a windowed table: the panes of a moment, bound to their scope.
import type { Moment } from '../core/table.ts'
import type { LateEvent } from '../core/declarations.ts'
import type { Pane } from '../core/engine.ts'
import { TailraceError } from '../core/errors.ts'
import { isClosed, startsAt, type Window } from '../core/window.ts'
import { absent, type Entry } from './entry.ts'
import { scanRows } from './scan.ts'
import type { Scope } from './scope.ts'
import type { Shard } from './shard.ts'
import { currentOf, refuseWrite } from './table-views.ts'

export type OnLate = (late: LateEvent) => void

/** A windowed table for its writer. */
export class WritableWindows {
  readonly #shard: Shard
  readonly #scope: Scope
  readonly #onLate: OnLate

  constructor(shard: Shard, scope: Scope, onLate: OnLate) {
    this.#shard = shard
    this.#scope = scope
    this.#onLate = onLate
  }

  at(when: Moment): WritablePanes {
    return new WritablePanes(this.#shard, this.#scope, timeOf(this.#shard, when), this.#onLate)
  }

  entries(): AsyncIterable<readonly [unknown, Pane<unknown>]> {
    return windowRows(this.#shard, currentOf, this.#scope.time.current)
  }
}

/** A windowed table for an agent that only reads it: as it was before the open record. */
export class ReadableWindows {
  readonly #shard: Shard
  readonly #scope: Scope

  constructor(shard: Shard, scope: Scope) {
    this.#shard = shard
    this.#scope = scope
  }

  at(when: Moment): ReadablePanes {
    return new ReadablePanes(this.#shard, this.#scope, timeOf(this.#shard, when))
  }

  entries(): AsyncIterable<readonly [unknown, Pane<unknown>]> {
    return windowRows(this.#shard, (entry) => entry.value, this.#scope.time.current)
  }
}

class ReadablePanes {
  protected readonly shard: Shard
  protected readonly scope: Scope
  protected readonly window: Window
  protected readonly timestamp: number

  constructor(shard: Shard, scope: Scope, timestamp: number) {
    this.shard = shard
    this.scope = scope
    this.window = windowOf(shard)
    this.timestamp = timestamp
  }

  get isLate(): boolean {
    return startsAt(this.window, this.timestamp).every((start) => this.isShut(start))
  }

  get(key: unknown): unknown {
    const { kind } = this.window
    const panes = this.#held(key)
    if (kind === 'tumbling') return this.shard.reveal(panes[0]?.value ?? absent)
    return panes
      .filter((pane) => pane.value !== absent)
      .map((pane) => ({ ...pane, value: this.shard.reveal(pane.value) }))
  }

  has(key: unknown): boolean {
    return this.#held(key).some((pane) => pane.value !== absent)
  }

  set(_key: unknown, _value: unknown): void {
    refuseWrite(this.shard)
  }

  update(_key: unknown, _change: (value: unknown) => unknown): unknown {
    return refuseWrite(this.shard)
  }

  delete(_key: unknown): boolean {
    return refuseWrite(this.shard)
  }

  #held(key: unknown): Pane<unknown>[] {
    const horizon = this.shard.horizon(this.scope.time.current)
    return startsAt(this.window, this.timestamp).map((start) => {
      const isGone = start < horizon
      const value = isGone ? absent : this.valueOf(this.shard.entryOf(key, start))
      return { start, end: start + this.window.sizeMs, value }
    })
  }

  protected valueOf(entry: Entry): unknown {
    return entry.value
  }

  /** Closed for writing, by stream time with the open record counted in. */
  protected isShut(start: number): boolean {
    return isClosed(this.window, start, this.scope.time.current)
  }
}

export class WritablePanes extends ReadablePanes {
  readonly #onLate: OnLate

  constructor(shard: Shard, scope: Scope, timestamp: number, onLate: OnLate) {
    super(shard, scope, timestamp)
    this.#onLate = onLate
  }

  protected override valueOf(entry: Entry): unknown {
    return currentOf(entry)
  }

  override set(key: unknown, value: unknown): void {
    this.update(key, () => value)
  }

  override update(key: unknown, change: (value: unknown) => unknown): unknown {
    const { shard, window } = this
    this.scope.require('wrote table', shard.table.name)
    if (window.everyMs === window.sizeMs) {
      const start = Math.floor(this.timestamp / window.sizeMs) * window.sizeMs
      return this.#change(key, start, change)
    }
    const panes: Pane<unknown>[] = []
    for (const start of startsAt(window, this.timestamp)) {
      const value = this.#change(key, start, change)
      if (!this.isShut(start)) panes.push({ start, end: start + window.sizeMs, value })
    }
    return panes
  }

  #change(key: unknown, start: number, change: (value: unknown) => unknown): unknown {
    const { scope, shard } = this
    const isShut = this.isShut(start)
    if (isShut && start < shard.horizon(scope.time.current)) {
      this.#tellLate(key, start)
      return change(shard.initial())
    }
    const entry = shard.entryOf(key, start)
    const value = change(shard.reveal(currentOf(entry)))
    if (isShut) this.#tellLate(key, start)
    else shard.write(scope.journal, entry, shard.held(value))
    return value
  }

  #tellLate(key: unknown, windowStart: number): void {
    this.#onLate({
      table: this.shard.table.name,
      key,
      timestamp: this.timestamp,
      windowStart,
      streamTime: this.scope.time.current
    })
  }

  override delete(key: unknown): boolean {
    const { scope, shard } = this
    scope.require('wrote table', shard.table.name)
    let isDeleted = false
    for (const start of startsAt(this.window, this.timestamp)) {
      if (this.isShut(start)) continue
      const entry = shard.entryOf(key, start)
      if (currentOf(entry) === absent) continue
      shard.write(scope.journal, entry, absent)
      isDeleted = true
    }
    return isDeleted
  }
}

function windowOf(shard: Shard): Window {
  const { name, window } = shard.table
  if (window !== undefined) return window
  throw new TailraceError('TAILRACE_BUG_INVARIANT', `table "${name}" has no window`)
}

function timeOf(shard: Shard, when: Moment): number {
  const time =
    typeof when === 'number' ? when : when instanceof Date ? when.getTime() : when.timestamp
  // Further out than any record can be, and no row could be written.
  if (Math.abs(time) <= Number.MAX_SAFE_INTEGER) return time
  throw new TailraceError(
    'TAILRACE_TABLE_WINDOW',
    `table "${shard.table.name}" was asked for the window of ${String(time)}`
  )
}

async function* windowRows(
  shard: Shard,
  valueOf: (entry: Entry) => unknown,
  streamTime: number
): AsyncGenerator<readonly [unknown, Pane<unknown>]> {
  const sizeMs = shard.table.window?.sizeMs ?? 0
  for await (const row of scanRows(shard, { valueOf, horizon: shard.horizon(streamTime) })) {
    const { windowStart: start } = row
    yield [row.key, { start, end: start + sizeMs, value: row.value }]
  }
}
