// A log in memory on a virtual clock, for tests: send to it, run workers on it, read what came out.
import { BatchCursor } from '../core/batch-cursor.ts'
import type { Metadata, UnsentRecord } from '../core/engine.ts'
import { decode, type Slot } from '../core/schema.ts'
import type { KeyInputOf, KeyOf, TopicShape, ValueInputOf, ValueOf } from '../core/topic.ts'
import { defaultPartitions } from '../core/topology-partitions.ts'
import { BatchEncoder, type RecordHeader } from '../core/record-batch.ts'
import type { OutgoingRecord, TopicPartition, TopicSettings } from '../port/transport.ts'
import { PlainSender } from '../runtime/plain-sender.ts'
import { defaultSettings } from '../runtime/settings.ts'
import { MemoryBroker } from '../transport/memory/broker.ts'
import type { FaultHook } from '../transport/memory/gate.ts'
import { createMemoryTransport, type MemoryTransport } from '../transport/memory/index.ts'
import { VirtualClock } from '../transport/memory/virtual-clock.ts'

/** What a test log is made with. */
export interface TestLogOptions {
  /** Wall time at the beginning, in ms since 1970. @default 2026-01-01 */
  readonly startMs?: number
  /** Numbers from 0 to below 1: orders what happens at the same millisecond. @default as asked */
  readonly random?: () => number
}

/** A record as it stands in the log, decoded by its topic where that is known. */
export interface LoggedRecord<K = unknown, V = unknown> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** In ms since 1970. */
  readonly timestamp: number
  readonly key: K
  readonly value: V
  /** As text. */
  readonly headers: Readonly<Record<string, string>>
}

/** What `append` takes: bytes, as another program might have written them. */
export interface BytesRecord {
  /** @default by the topic's partitioner; 0 without a key */
  readonly partition?: number
  /** Text is written in UTF-8. @default null */
  readonly key?: string | Uint8Array | null
  /** Text is written in UTF-8. */
  readonly value: string | Uint8Array | null
  /** In ms since 1970. @default now, by the log's clock */
  readonly timestamp?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** `TopicShape` with the types that `send` and `read` go by. */
type Typed = TopicShape & { readonly '~types'?: unknown; readonly '~accepts'?: unknown }

interface TypedRecord<T> {
  readonly key?: KeyInputOf<T>
  readonly value: ValueInputOf<T>
  readonly timestamp?: number
  readonly partition?: number
  readonly headers?: Readonly<Record<string, string | Uint8Array>>
}

/**
 * A log in memory on a virtual clock: the memory transport, which passes the same conformance suite
 * as the embedded log.
 *
 * @example
 * import { startTestWorker, TestLog } from 'tailrace/testing'
 * const log = new TestLog()
 * const worker = await startTestWorker(app, { log })
 * await log.send(pageViews, { key: 'ann', value: { page: '/', user: 'ann' } })
 * await worker.caughtUp()
 */
export class TestLog {
  /** The time of everything on this log; it stands still between calls. */
  readonly clock: VirtualClock
  readonly broker: MemoryBroker
  readonly #transport: MemoryTransport
  readonly #sender: PlainSender

  constructor(options: TestLogOptions = {}) {
    this.clock = new VirtualClock(options)
    this.broker = new MemoryBroker({ clock: this.clock, id: 'test' })
    this.#transport = createMemoryTransport(this.broker)
    this.#sender = new PlainSender({
      transport: this.#transport,
      clock: this.clock,
      recordBytesMax: defaultSettings.recordBytesMax
    })
  }

  /** Another connection to this log, whose operations the hook delays or fails. */
  connect(faults?: FaultHook): MemoryTransport {
    return createMemoryTransport(this.broker, faults === undefined ? {} : { faults })
  }

  /**
   * Sends one record as a program would; the topic is made if it is not there.
   *
   * @throws what `topic.send` throws
   */
  send<T extends Typed>(topic: T, record: TypedRecord<T>): Promise<Metadata> {
    return this.clock.settle(this.#sender.send(topic.declaration, record as UnsentRecord))
  }

  /** Appends bytes as they are, to a topic that the app declares; answers the offset. */
  append(topic: TopicShape, record: BytesRecord): number {
    const { declaration } = topic
    const partitions = declaration.partitions ?? defaultPartitions
    const settings: TopicSettings = {
      cleanupPolicy: declaration.cleanupPolicy,
      retentionMs: declaration.retentionMs ?? -1,
      timestampType: 'create',
      extra: declaration.extra
    }
    this.broker.createTopic({ name: declaration.name, partitions, replication: 1, settings })
    const key = bytesOf(record.key ?? null)
    const partition =
      record.partition ?? (key === null ? 0 : declaration.partitioner.partition(key, partitions))
    const at = { topic: declaration.name, partition }
    const timestamp = record.timestamp ?? this.clock.now()
    const headers = Object.entries(record.headers ?? {}).map(([name, value]) => ({
      key: name,
      value: Buffer.from(value)
    }))
    const made: OutgoingRecord = { ...at, key, value: bytesOf(record.value), timestamp, headers }
    return this.broker.append(at, encodeOne(made), timestamp)[0]
  }

  /**
   * Everything readable in a topic: by partition, then by offset.
   *
   * @throws TAILRACE_SCHEMA_DECODE for bytes that its codecs cannot read
   */
  read<T extends Typed>(topic: T): readonly LoggedRecord<KeyOf<T>, ValueOf<T>>[] {
    const { key, value } = topic.declaration
    return this.readBytes(topic.name).map((record) => ({
      ...record,
      key: decoded(key, record.key) as KeyOf<T>,
      value: decoded(value, record.value) as ValueOf<T>
    }))
  }

  /** The same as bytes; of any topic, those that the app keeps for itself included. */
  readBytes(topic: string): readonly LoggedRecord<Buffer | null, Buffer | null>[] {
    const found = this.broker.topics().find(({ name }) => name === topic)
    return Array.from({ length: found?.partitions ?? 0 }, (_, partition) =>
      this.#readPartition({ topic, partition })
    ).flat()
  }

  #readPartition(at: TopicPartition): LoggedRecord<Buffer | null, Buffer | null>[] {
    const log = this.broker.log(at)
    const cursor = new BatchCursor()
    const { bytes } = log.read(log.start, Number.POSITIVE_INFINITY)
    cursor.reset(bytes, log.start)
    const records: LoggedRecord<Buffer | null, Buffer | null>[] = []
    while (cursor.next()) {
      const { offset, timestamp } = cursor
      const headers = Object.fromEntries(cursor.headers().map(textHeader))
      records.push({
        ...at,
        offset,
        timestamp,
        key: cursor.key(),
        value: cursor.value(),
        headers
      })
    }
    return records
  }

  /** True when an app has read and committed everything of these topics. */
  isCommitted(app: string, topics: readonly string[]): boolean {
    return this.broker
      .topics()
      .filter(({ name }) => topics.includes(name))
      .every(({ name: topic, partitions }) =>
        Array.from({ length: partitions }, (_, partition) => ({ topic, partition })).every((at) => {
          const [committed] = this.broker.committed(app, [at])
          const { end, start } = this.broker.log(at)
          return end === start || committed?.offset === end
        })
      )
  }
}

function encodeOne(record: OutgoingRecord): Buffer {
  const encoder = new BatchEncoder()
  encoder.append(record.key, record.value, record.timestamp, record.headers)
  return encoder.finish()
}

function bytesOf(given: string | Uint8Array | null): Uint8Array | null {
  return typeof given === 'string' ? Buffer.from(given) : given
}

function decoded(slot: Slot, bytes: Buffer | null): unknown {
  return decode(slot, bytes, 'a record that a test reads')
}

function textHeader({ key, value }: RecordHeader): [string, string] {
  return [key, value === null ? '' : Buffer.from(value).toString()]
}
