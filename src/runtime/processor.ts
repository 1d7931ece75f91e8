// Data plane. The contract between a task and what runs in it, and the writing side of `groupBy`.
import { TailraceError } from '../core/errors.ts'
import type { StreamEvent } from '../core/event.ts'
import { isEqualData } from '../core/freeze.ts'
import { decode, encode, validateNow } from '../core/schema.ts'
import type { GroupProcessor } from '../core/topology.ts'
import type { OnError } from '../core/decision.ts'
import type { Journal } from './journal.ts'
import type { RecordLimits } from './record-limits.ts'
import type { RecordPlace } from './held-record.ts'

/**
 * `done`: the event is worked through. `pending`: `StepOwner.completed` or `failed` will follow.
 * `stopped`: its loop ended on purpose, and the task reads no further. A throw is a failure.
 */
export type Outcome = 'done' | 'pending' | 'stopped'

/** What a processor tells its task, once for each pending event. */
export interface StepOwner {
  completed(): void
  failed(error: unknown): void
}

export interface ProcessorRun {
  readonly name: string
  readonly onError: OnError | undefined
  /** Works on an event. The queue's cursor stands on its record. */
  offer(event: StreamEvent, queue: RecordPlace): Outcome
  /** Breaks off the open event after a failure; the next `offer` begins afresh. */
  discard(): void
  /** Ends between events: a loop sees its iterator end. Resolves when the function settled. */
  end(): Promise<void>
}

export interface GroupRunParts {
  readonly processor: GroupProcessor
  readonly journal: Journal
  readonly partitions: number
  readonly limits: RecordLimits
}

/** Sends each event to the repartition topic by its new key. */
export class GroupRun implements ProcessorRun {
  readonly name: string
  readonly onError = undefined
  readonly #parts: GroupRunParts
  #hasRoundTripped = false

  constructor(parts: GroupRunParts) {
    this.name = parts.processor.name
    this.#parts = parts
  }

  offer(event: StreamEvent, queue: RecordPlace): Outcome {
    const { journal, limits, partitions, processor } = this.#parts
    const { group } = processor
    const { topic } = group
    const key = this.#keyOf(event)
    const value = group.isPassThrough ? queue.valueBytes() : this.#valueOf(event)
    limits.check(topic.name, { key, value, timestamp: event.timestamp })
    journal.send({
      topic: topic.name,
      partition: topic.partitioner.partition(key, partitions),
      key,
      value,
      timestamp: event.timestamp,
      headers: event.recordHeaders
    })
    return 'done'
  }

  discard(): void {
    // Nothing outlives an event here.
  }

  end(): Promise<void> {
    return Promise.resolve()
  }

  #keyOf(event: StreamEvent): Uint8Array {
    const { group } = this.#parts.processor
    const where = `the key that groupBy "${group.name}" made`
    const key = group.keyOf(event)
    const valid = validateNow(group.topic.key, key, where)
    const bytes = encode(group.topic.key, valid, where)
    if (bytes !== null) return bytes
    throw new TailraceError('TAILRACE_SCHEMA_NULL', `${where} is ${String(key)}`, {
      hint: 'Filter such events out before groupBy, or give them a key.'
    })
  }

  #valueOf(event: StreamEvent): Uint8Array | null {
    const { group } = this.#parts.processor
    const where = `a value that groupBy "${group.name}" sends on`
    const bytes = encode(group.topic.value, event.value, where)
    if (this.#hasRoundTripped || bytes === null) return bytes
    if (!isEqualData(event.value, decode(group.topic.value, bytes, where))) {
      throw new TailraceError(
        'TAILRACE_SCHEMA_UNWRITABLE',
        `${where} does not read back equal from the codec "${group.topic.value.codec.name}"`,
        { hint: 'Map to plain data, or set a codec for the app that can write it.' }
      )
    }
    this.#hasRoundTripped = true
    return bytes
  }
}
