// Sends outside any event: `topic.send` of a worker, or of a program that only sends.
import type { TopicDeclaration } from '../core/declarations.ts'
import type { Metadata, UnsentRecord } from '../core/engine.ts'
import { TailraceError } from '../core/errors.ts'
import { defaultPartitions } from '../core/topology-partitions.ts'
import type { Clock } from '../port/clock.ts'
import type { Producer, TopicLimits, Transport } from '../port/transport.ts'
import { outgoing, Spreader } from './outgoing.ts'
import { RecordLimits } from './record-limits.ts'

export interface PlainSenderParts {
  readonly transport: Transport
  readonly clock: Clock
  readonly recordBytesMax: number
}

export class PlainSender {
  readonly #parts: PlainSenderParts
  readonly #partitions = new Map<string, number>()
  readonly #topicLimits = new Map<string, TopicLimits>()
  readonly #limits: RecordLimits
  readonly #learning = new Map<string, Promise<void>>()
  readonly #spreader = new Spreader()
  #producer: Promise<Producer> | undefined

  constructor(parts: PlainSenderParts) {
    this.#parts = parts
    const limitsOf = (topic: string): TopicLimits | undefined => this.#topicLimits.get(topic)
    this.#limits = new RecordLimits({ ...parts, limitsOf })
  }

  /** @throws TAILRACE_SCHEMA_*, TAILRACE_TRANSPORT_* */
  async send(topic: TopicDeclaration, record: UnsentRecord): Promise<Metadata> {
    const producer = await this.#opened()
    if (!this.#partitions.has(topic.name)) await this.#learnOnce(topic)
    const context = {
      limits: this.#limits,
      partitionsOf: (name: string) => this.#partitions.get(name) ?? 0,
      timestamp: this.#parts.clock.now()
    }
    const made = await outgoing(topic, record, context, this.#spreader)
    const delivery = await producer.send(made)
    return { ...delivery, offset: BigInt(delivery.offset) }
  }

  // A log that was away once may be there for the next send.
  #opened(): Promise<Producer> {
    this.#producer ??= this.#parts.transport.producer().catch((error: unknown) => {
      this.#producer = undefined
      throw error
    })
    return this.#producer
  }

  // Thousands may be sent before the first answer: the log is asked for one of them.
  async #learnOnce(topic: TopicDeclaration): Promise<void> {
    const learning =
      this.#learning.get(topic.name) ??
      this.#learn(topic).finally(() => this.#learning.delete(topic.name))
    this.#learning.set(topic.name, learning)
    await learning
  }

  // A program may send before any worker of the app has run: then the topic is made here.
  async #learn(topic: TopicDeclaration): Promise<void> {
    const admin = this.#parts.transport.admin()
    const [found] = await admin.describe([topic.name])
    if (found !== undefined) {
      this.#partitions.set(topic.name, found.partitions)
      if (found.limits !== undefined) this.#topicLimits.set(topic.name, found.limits)
      return
    }
    if (topic.role === 'repartition') {
      throw new TailraceError(
        'TAILRACE_TRANSPORT_UNKNOWN_TOPIC',
        `topic "${topic.name}" does not exist yet; it is made when the app starts`
      )
    }
    const [made] = await admin.create([
      {
        name: topic.name,
        partitions: topic.partitions ?? defaultPartitions,
        replication: topic.replication ?? this.#parts.transport.features.replicationDefault ?? 1,
        settings: {
          cleanupPolicy: topic.cleanupPolicy,
          retentionMs: topic.retentionMs ?? defaultRetentionMs,
          timestampType: 'create',
          extra: topic.extra
        }
      }
    ])
    this.#partitions.set(topic.name, made?.partitions ?? topic.partitions ?? defaultPartitions)
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined)
    await producer?.close()
  }
}

/** What Kafka's own default is. */
const defaultRetentionMs = 7 * 86_400_000
