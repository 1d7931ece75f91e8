// The seam between a declaration and what runs it: handles call the engine that is attached.
import type { TableDeclaration, TopicDeclaration } from './declarations.ts'
import { TailraceError } from './errors.ts'

/** A record as a program hands it over. */
export interface UnsentRecord {
  readonly key?: unknown
  readonly value: unknown
  readonly headers?: Readonly<Record<string, string | Uint8Array>>
  readonly timestamp?: number
  readonly partition?: number
}

/** Where a sent record stands in the log. */
export interface Metadata {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** In ms since 1970: as it was sent, or as the log stamped it. */
  readonly timestamp: number
}

/** A row of a windowed table. Times in ms; the end is exclusive. */
export interface Pane<V> {
  readonly start: number
  readonly end: number
  readonly value: V
}

/** What `table.query` answers: the value, and how fresh it is. */
export interface Answer<V> {
  readonly value: V
  /** True when records of the partition are still unread: the value may be behind the log. */
  readonly isStale: boolean
  /** Stream time of the partition, in ms since 1970; -Infinity before the first event. */
  readonly asOf: number
}

/** Which partitions a scan speaks for: those of this worker. */
export interface Coverage {
  /** Numbers of the partitions, ascending. */
  readonly partitions: readonly number[]
  /** How many partitions the table has. */
  readonly of: number
  /** True when the scan speaks for all of them. */
  readonly isComplete: boolean
}

/** Rows of a table, read in pages while you iterate: partition by partition, in key order. */
export interface Scan<Row> extends AsyncIterable<Row> {
  /** Known at once: the partitions of this worker at the moment of the call. */
  readonly coverage: Coverage
}

/** Which windows a query of a windowed table answers. */
export interface QueryRange {
  /** Windows that start at or after this. @default the oldest kept */
  readonly from?: number | Date
  /** Windows that start before this. @default no bound */
  readonly to?: number | Date
}

/** How much a scan reads. */
export interface ScanOptions {
  /** Rows at most, of all partitions together. @default 1,000 */
  readonly limit?: number
}

/** What a running worker, or a program that only sends, does for the handles of an app. */
export interface Engine {
  send(topic: TopicDeclaration, record: UnsentRecord): Promise<Metadata>
  query(table: TableDeclaration, key: unknown, range: QueryRange): Promise<Answer<unknown>>
  scan(table: TableDeclaration, options: ScanOptions): Scan<unknown>
  /** True while this process owns the leader task. */
  readonly isLeader: boolean
  readonly leaderEpoch: number | undefined
}

/** Holds the engine of an app; handles share it, so they work before and after a start. */
export class EngineSlot {
  #engine: Engine | undefined

  attach(engine: Engine | undefined): void {
    this.#engine = engine
  }

  get attached(): Engine | undefined {
    return this.#engine
  }

  get engine(): Engine {
    if (this.#engine !== undefined) return this.#engine
    throw new TailraceError('TAILRACE_TRANSPORT_CLOSED', 'the app has no connection to a log')
  }
}
