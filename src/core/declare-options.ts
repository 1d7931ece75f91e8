// What a program may say of a topic and of a table.
import type { Codec } from './codec.ts'
import type { LateEvent } from './declarations.ts'
import type { Duration } from './duration.ts'
import type { Partitioner } from './partitioner.ts'
import type { Schema } from './schema.ts'
import type { Window } from './window.ts'

/**
 * What a topic is, for `app.topic(name, options)`. The topic is made when the app starts, unless it
 * exists; one that exists is left as it is.
 */
export interface TopicOptions {
  /** Schema of the key, checked when it is sent and when it is read. @default string or null */
  readonly key?: Schema | undefined
  /** Schema of the value, checked alike. @default none: the value is `unknown` */
  readonly value?: Schema | undefined
  /** How the key becomes bytes. @default string */
  readonly keyCodec?: Codec
  /** How the value becomes bytes. @default the app's codec, json unless set */
  readonly codec?: Codec
  /**
   * Number of partitions, a whole number from 1. Sources of one agent must have equal numbers.
   *
   * @default what exists, else 8
   */
  readonly partitions?: number
  /** How long records are kept; -1: for ever. Kafka's `retention.ms`. @default 7 days */
  readonly retention?: Duration
  /** Kafka's `cleanup.policy`: delete what is old, or keep each key's last. @default 'delete' */
  readonly cleanupPolicy?: 'delete' | 'compact' | 'compact,delete'
  /** Copies of each partition; the logs of this version keep one. @default 1 */
  readonly replication?: number
  /** Further settings of the log, by Kafka's names; what it does not know it ignores. */
  readonly config?: Readonly<Record<string, string>>
  /** How the producer of this topic chooses partitions. @default murmur2, as Java's */
  readonly partitioner?: Partitioner
}

/** What a table holds, for `app.table(name, options)`. */
export interface TableOptions {
  /** Schema of the key: the key of the events that write it. It must answer at once. */
  readonly key: Schema
  /** Schema of the value. It must answer at once, and what it gives out must be writable. */
  readonly value: Schema
  /** Makes the value of a key that is not there. @default none: `get` answers undefined */
  readonly initial?: (() => unknown) | undefined
  /** `tumbling(…)` or `hopping(…)`: a value for each key and window. @default none */
  readonly window?: Window | undefined
  /** How the key becomes bytes. @default string */
  readonly keyCodec?: Codec
  /** How the value becomes bytes. @default the app's codec, json unless set */
  readonly codec?: Codec
  /**
   * `key`: a key has one partition, and writing it in another is refused, because a query would not
   * find it. `partition`: each partition has rows of its own, which only `scan` answers.
   *
   * @default 'key'
   */
  readonly scope?: 'key' | 'partition'
  /** Says which partition a key has; that of the source's producers. @default murmur2 */
  readonly partitioner?: Partitioner
  /** Told of each event that came too late for a window. */
  readonly onLate?: (late: LateEvent) => void
}
