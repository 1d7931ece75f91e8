// Tables as users hold them. The declaration answers queries; the shard that an agent is handed
// reads and writes. They are different types, so that closing over a table does not compile.
import type { TableDeclaration } from './declarations.ts'
import type { Answer, EngineSlot, Pane, QueryRange, Scan, ScanOptions } from './engine.ts'
import type { Event } from './event.ts'
import type { DeepReadonly } from './freeze.ts'
import type { Window } from './window.ts'

export interface TableShape {
  readonly kind: 'table'
  readonly name: string
  readonly declaration: TableDeclaration
}

/** `G` is what `get` answers: `V` where the table has an `initial`, else `V | undefined`. */
export interface TableTypes<K, V, G, W> {
  readonly key: K
  readonly value: V
  readonly got: G
  readonly window: W
}

type QueryArguments<W> = W extends undefined ? [] : [range?: QueryRange]
type QueryValue<V, G, W> = W extends undefined ? DeepReadonly<G> : readonly Pane<DeepReadonly<V>>[]
type ScanRow<K, V, W> = W extends undefined
  ? readonly [K, DeepReadonly<V>]
  : readonly [K, Pane<DeepReadonly<V>>]

/**
 * A table of an app; one agent writes it, anybody may ask it. `G` is what a key that is not there
 * answers to: `V` with an `initial`, else undefined.
 */
export interface Table<K, V, G, W extends Window | undefined> extends TableShape {
  readonly '~types'?: TableTypes<K, V, G, W> | undefined
  /**
   * The value of a key, or the panes of a windowed one, from finished events.
   *
   * @throws TAILRACE_TABLE_NOT_LOCAL when another worker has the key: `context` has `owner`, `url`
   * @throws TAILRACE_TABLE_NOT_READY while its partition is restored or moved
   */
  query(key: K, ...range: QueryArguments<W>): Promise<Answer<QueryValue<V, G, W>>>
  /**
   * Rows of the partitions that this worker has, from finished events; `coverage` says which those
   * are.
   *
   * @throws TAILRACE_TABLE_NOT_READY before the worker has started,
   *   TAILRACE_TABLE_NOT_LOCAL where no worker runs in this program
   */
  scan(options?: ScanOptions): Scan<ScanRow<K, V, W>>
}

/**
 * One partition of a plain table, as its agent gets it. Writes belong to the event that is open:
 * they are its own until it is finished, and gone if it fails. Values are frozen.
 */
export interface Shard<K, V, G> {
  /** The value, this event's own writes included; `initial()` where there is none. */
  get(key: K): DeepReadonly<G>
  /** True when the key has a row; `initial` makes none. */
  has(key: K): boolean
  /**
   * @throws TAILRACE_TABLE_WRONG_PARTITION for a key that belongs to another task,
   *   TAILRACE_TABLE_VALUE for null, TAILRACE_AGENT_NO_EVENT while no event is open,
   *   TAILRACE_SCHEMA_ENCODE, TAILRACE_SCHEMA_TOO_DEEP
   */
  set(key: K, value: DeepReadonly<V>): void
  /** Replaces the value by what `change` makes of it, and returns that; throws as `set` does. */
  update(key: K, change: (value: DeepReadonly<G>) => DeepReadonly<V>): DeepReadonly<V>
  /** True when there was something to delete. */
  delete(key: K): boolean
  /** All rows of the partition in key order, this event's own writes included. */
  entries(): AsyncIterable<readonly [K, DeepReadonly<V>]>
}

/** The windows that hold one moment. Times before the retention and late writes change nothing. */
export interface Panes<K, V, G, Many> {
  /** True when every window that holds the moment is closed, so that writes change nothing. */
  readonly isLate: boolean
  /** What the window holds; where windows overlap, the panes that have a row, earliest first. */
  get(key: K): PaneValue<V, G, Many>
  /** True when a window that holds the moment has a row of the key. */
  has(key: K): boolean
  /** As `update`, with this value; throws as `set` of a plain shard does. */
  set(key: K, value: DeepReadonly<V>): void
  /**
   * Changes each open window and returns what they hold then. Late: nothing is stored, the event
   * is counted, and what would have been stored comes back.
   */
  update(
    key: K,
    change: (value: DeepReadonly<G>) => DeepReadonly<V>
  ): Many extends 'one' ? DeepReadonly<V> : readonly Pane<DeepReadonly<V>>[]
  /** Deletes the rows of each open window. True when there was something to delete. */
  delete(key: K): boolean
}

type PaneValue<V, G, Many> = Many extends 'one' ? DeepReadonly<G> : readonly Pane<DeepReadonly<V>>[]

/** A moment of event time: an event's own, ms since 1970, or a date. */
export type Moment = Event | number | Date

/** One partition of a windowed table, as its agent gets it. */
export interface WindowedShard<K, V, G, Many> {
  /**
   * The windows that hold the moment.
   *
   * @throws TAILRACE_TABLE_WINDOW when it is no finite time
   */
  at(when: Moment): Panes<K, V, G, Many>
  /** All rows of the partition that are not expired, by window and key. */
  entries(): AsyncIterable<readonly [K, Pane<DeepReadonly<V>>]>
}

type ReadOnly<K, V, G> = Pick<Shard<K, V, G>, 'get' | 'has' | 'entries'>
type WindowedReadOnly<K, V, G, Many> = Pick<WindowedShard<K, V, G, Many>, 'entries'> & {
  at(when: Moment): Pick<Panes<K, V, G, Many>, 'get' | 'has' | 'isLate'>
}

type TypesOf<T> = T extends { readonly '~types'?: infer Types } ? NonNullable<Types> : never

/** What an agent gets for a table it writes. */
export type ShardOf<T> =
  TypesOf<T> extends TableTypes<infer K, infer V, infer G, infer W>
    ? W extends Window<infer Many>
      ? WindowedShard<K, V, G, Many>
      : Shard<K, V, G>
    : never

/** What an agent gets for a table it only reads. */
export type ReadOf<T> =
  TypesOf<T> extends TableTypes<infer K, infer V, infer G, infer W>
    ? W extends Window<infer Many>
      ? WindowedReadOnly<K, V, G, Many>
      : ReadOnly<K, V, G>
    : never

/** Makes the handle of a declared table. */
export function tableHandle<K, V, G, W extends Window | undefined>(
  declaration: TableDeclaration,
  slot: EngineSlot
): Table<K, V, G, W> {
  type Handle = Table<K, V, G, W>
  return {
    kind: 'table',
    name: declaration.name,
    declaration,
    query: (key, range: QueryRange = {}) =>
      slot.engine.query(declaration, key, range) as ReturnType<Handle['query']>,
    scan: (options = {}) => slot.engine.scan(declaration, options) as ReturnType<Handle['scan']>
  }
}
