// An event: a record of the log, decoded, as agents and operators see it.
import type { DeepReadonly } from './freeze.ts'
import type { RecordHeader } from './record-batch.ts'

/** A record as agents and streams see it: decoded, validated, frozen, and where it stands. */
export interface Event<K = unknown, V = unknown> {
  /** Null where the topic accepts records without a key. */
  readonly key: K
  /** Frozen at every depth: agents share it. */
  readonly value: DeepReadonly<V>
  /** Event time, in milliseconds since 1970. */
  readonly timestamp: number
  readonly topic: string
  readonly partition: number
  /** With topic and partition it names the event for ever, retries and restarts included. */
  readonly offset: bigint
  /** The last value of each name; a header without a value is empty bytes. */
  readonly headers: ReadonlyMap<string, Uint8Array>
}

const noHeaders: ReadonlyMap<string, Uint8Array> = new Map()
const noBytes = new Uint8Array(0)

/** Where in the log a record stands. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly position: number
  readonly timestamp: number
}

/** The event handed to users. Offset and headers are made when they are asked for. */
export class StreamEvent implements Event, Place {
  readonly key: unknown
  readonly value: unknown
  readonly timestamp: number
  readonly topic: string
  readonly partition: number
  /** The offset as a number; `offset` is the public form. */
  readonly position: number
  readonly recordHeaders: readonly RecordHeader[]
  /** False when the value holds something that cannot be frozen: agents do not share it. */
  readonly isPlain: boolean

  constructor(
    key: unknown,
    value: unknown,
    place: Place,
    recordHeaders: readonly RecordHeader[],
    isPlain = true
  ) {
    this.isPlain = isPlain
    this.key = key
    this.value = value
    this.timestamp = place.timestamp
    this.topic = place.topic
    this.partition = place.partition
    this.position = place.position
    this.recordHeaders = recordHeaders
  }

  get offset(): bigint {
    return BigInt(this.position)
  }

  get headers(): ReadonlyMap<string, Uint8Array> {
    if (this.recordHeaders.length === 0) return noHeaders
    return new Map(this.recordHeaders.map((header) => [header.key, header.value ?? noBytes]))
  }

  /** The same record carrying another value. */
  withValue(value: unknown): StreamEvent {
    return new StreamEvent(this.key, value, this, this.recordHeaders)
  }
}
