// What a program may say of a topic and of a table.
import type { Codec } from './codec.ts'
import type { LateEvent } from './declarations.ts'
import type { Duration } from './duration.ts'
import type { Partitioner } from './partitioner.ts'
import type { Schema } from './schema.ts'
import type { Window } from './window.ts'

export interface TopicOptions {
  /** Schema of the key. @default string or null */
  readonly key?: Schema | undefined
  /** Schema of the value. @default none: the value is `unknown` */
  readonly value?: Schema | undefined
  /** @default string */
  readonly keyCodec?: Codec
  /** @default the app's codec, json unless set */
  readonly codec?: Codec
  /** @default what exists, else 8 */
  readonly partitions?: number
  /** How long records are kept. -1: for ever. @default 7 days */
  readonly retention?: Duration
  /** @default 'delete' */
  readonly cleanupPolicy?: 'delete' | 'compact' | 'compact,delete'
  /** @default 1 in development */
  readonly replication?: number
  /** Further settings of the log, by Kafka's names. */
  readonly config?: Readonly<Record<string, string>>
  /** How the producer of this topic chooses partitions. @default murmur2, as Java's */
  readonly partitioner?: Partitioner
}

export interface TableOptions {
  readonly key: Schema
  readonly value: Schema
  readonly initial?: (() => unknown) | undefined
  readonly window?: Window | undefined
  readonly keyCodec?: Codec
  readonly codec?: Codec
  /** `partition` gives each partition rows of its own, unchecked. @default 'key' */
  readonly scope?: 'key' | 'partition'
  readonly partitioner?: Partitioner
  /** Told of each event that came too late for a window. */
  readonly onLate?: (late: LateEvent) => void
}
