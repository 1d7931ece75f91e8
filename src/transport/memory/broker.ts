// The log that all connections of one process share: topics, committed offsets, producers, groups.

import { randomUUID } from 'node:crypto'
import { TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import type {
  CommittedOffset,
  PartitionEnd,
  TaskCommit,
  TopicDescription,
  TopicPartition,
  TopicSettings,
  TopicSpec,
  TransactionReport
} from '../../port/transport.ts'
import { Group } from './group.ts'
import { PartitionLog } from './partition-log.ts'
import { Signal } from './signal.ts'

/** How often appending looks whether something is to be deleted or compacted. */
const maintenanceMs = 60_000

interface Topic {
  readonly description: TopicDescription
  readonly logs: readonly PartitionLog[]
}

/** Finished batches that one task wrote to one partition. */
export interface TaskBatches extends TopicPartition {
  readonly task: string
  readonly batches: readonly Buffer[]
}

export interface Transaction {
  readonly producerId: string
  readonly producerEpoch: number
  readonly writes: readonly TaskBatches[]
  readonly commits: readonly TaskCommit[]
}

export interface MemoryBrokerOptions {
  readonly clock: Clock
  /** Begins the ids of topics; by default one that no other log has. */
  readonly id?: string
}

/** Every method takes hold at one instant: nothing in here waits. */
export class MemoryBroker {
  readonly clock: Clock
  /** Raised when records were appended or deleted. */
  readonly changed: Signal
  readonly #id: string
  readonly #topics = new Map<string, Topic>()
  readonly #groups = new Map<string, Group>()
  readonly #producerEpochs = new Map<string, number>()
  #topicCount = 0
  #maintainedAt: number

  constructor(options: MemoryBrokerOptions) {
    this.clock = options.clock
    this.changed = new Signal(options.clock)
    this.#id = options.id ?? randomUUID()
    this.#maintainedAt = options.clock.monotonic()
  }

  topics(): readonly TopicDescription[] {
    return [...this.#topics.values()].map((topic) => topic.description)
  }

  createTopic(spec: TopicSpec): TopicDescription {
    const existing = this.#topics.get(spec.name)
    if (existing !== undefined) return existing.description
    const id = `${this.#id}:${this.#topicCount++}`
    const description = { ...spec, id }
    const logs = Array.from({ length: spec.partitions }, () => new PartitionLog())
    this.#topics.set(spec.name, { description, logs })
    return description
  }

  deleteTopic(name: string): void {
    this.#topics.delete(name)
    for (const group of this.#groups.values()) group.forgetTopic(name)
    this.changed.raise()
  }

  /** @throws TAILRACE_TRANSPORT_UNKNOWN_TOPIC */
  log(partition: TopicPartition): PartitionLog {
    return this.#find(partition).log
  }

  /** Answers the offset and the timestamp of the batch's first record. */
  append(partition: TopicPartition, batch: Buffer, timestamp: number): [number, number] {
    const { log, settings } = this.#find(partition)
    const now = this.clock.now()
    const offset = log.append(batch, settings, now)
    this.#maintainSometimes()
    this.changed.raise()
    return [offset, settings.timestampType === 'append' ? now : timestamp]
  }

  /** @throws TAILRACE_TRANSPORT_OUT_OF_RANGE beyond the end */
  deleteRecords(partition: TopicPartition, before: number): void {
    const log = this.log(partition)
    if (before > log.end) {
      const where = `${partition.topic}/${partition.partition}`
      throw new TailraceError(
        'TAILRACE_TRANSPORT_OUT_OF_RANGE',
        `offset ${before} of ${where} is outside of what it holds, ${log.start} to ${log.end}`,
        { isDefinite: true }
      )
    }
    log.deleteBefore(before)
    this.changed.raise()
  }

  maintain(isEager: boolean): void {
    this.#maintainedAt = this.clock.monotonic()
    for (const { description, logs } of this.#topics.values()) {
      for (const log of logs) log.maintain(description.settings, this.clock.now(), isEager)
    }
    this.changed.raise()
  }

  /** The epoch of a new producer of this id; older ones are fenced from now on. */
  openProducer(id: string): number {
    const epoch = (this.#producerEpochs.get(id) ?? -1) + 1
    this.#producerEpochs.set(id, epoch)
    return epoch
  }

  /** @throws TAILRACE_TRANSPORT_FENCED, TAILRACE_TRANSPORT_UNKNOWN_TOPIC: both definite */
  commit(transaction: Transaction): TransactionReport {
    this.#checkProducer(transaction)
    for (const write of transaction.writes) this.#find(write)
    for (const { offsets } of transaction.commits) for (const at of offsets) this.#find(at)
    const fenced = new Set<string>()
    for (const commit of transaction.commits) {
      if (!this.group(commit.group).isOwner(commit)) fenced.add(commit.task)
    }
    const ends = this.#appendAll(transaction.writes.filter(({ task }) => !fenced.has(task)))
    for (const commit of transaction.commits) {
      if (!fenced.has(commit.task)) this.group(commit.group).storeOffsets(commit.offsets)
    }
    return { fenced: [...fenced], ends }
  }

  committed(group: string, partitions: readonly TopicPartition[]): readonly CommittedOffset[] {
    return this.group(group).committed(partitions)
  }

  group(name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new Group(name, this.clock)
      this.#groups.set(name, group)
    }
    return group
  }

  #appendAll(writes: readonly TaskBatches[]): PartitionEnd[] {
    const ends = new Map<PartitionLog, PartitionEnd>()
    for (const { topic, partition, batches } of writes) {
      const { log, settings } = this.#find({ topic, partition })
      for (const batch of batches) log.append(batch, settings, this.clock.now())
      ends.set(log, { topic, partition, end: log.end, leaderEpoch: log.leaderEpoch })
    }
    if (writes.length > 0) {
      this.#maintainSometimes()
      this.changed.raise()
    }
    return [...ends.values()]
  }

  #checkProducer({ producerId, producerEpoch }: Transaction): void {
    if (this.#producerEpochs.get(producerId) === producerEpoch) return
    throw new TailraceError(
      'TAILRACE_TRANSPORT_FENCED',
      `a newer producer '${producerId}' took over from this one; nothing was written`,
      { isDefinite: true }
    )
  }

  #find({ topic, partition }: TopicPartition): { log: PartitionLog; settings: TopicSettings } {
    const found = this.#topics.get(topic)
    const log = found?.logs[partition]
    if (found !== undefined && log !== undefined) {
      return { log, settings: found.description.settings }
    }
    const what =
      found === undefined
        ? `topic '${topic}' does not exist`
        : `topic '${topic}' has no partition ${partition}; it has ${found.logs.length}`
    throw new TailraceError('TAILRACE_TRANSPORT_UNKNOWN_TOPIC', what, {
      isDefinite: true,
      context: { topic, partition }
    })
  }

  /** Without a timer of its own: a simulation has nothing pending when nobody works. */
  #maintainSometimes(): void {
    if (this.clock.monotonic() - this.#maintainedAt >= maintenanceMs) this.maintain(false)
  }
}
