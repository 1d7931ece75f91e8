// Topics, offsets and housekeeping of the memory log.

import type {
  Admin,
  CommittedOffset,
  PartitionRange,
  TopicDescription,
  TopicPartition,
  TopicSpec
} from '../../port/transport.ts'
import type { MemoryBroker } from './broker.ts'
import type { Gate } from './gate.ts'

export class MemoryAdmin implements Admin {
  readonly #broker: MemoryBroker
  readonly #gate: Gate

  constructor(broker: MemoryBroker, gate: Gate) {
    this.#broker = broker
    this.#gate = gate
  }

  describe(names?: readonly string[]): Promise<readonly TopicDescription[]> {
    return this.#gate.pass('admin.describe', () => {
      const all = this.#broker.topics()
      return names === undefined ? all : all.filter(({ name }) => names.includes(name))
    })
  }

  create(topics: readonly TopicSpec[]): Promise<readonly TopicDescription[]> {
    return this.#gate.pass('admin.create', () =>
      topics.map((topic) => this.#broker.createTopic(topic))
    )
  }

  delete(names: readonly string[]): Promise<void> {
    return this.#gate.pass('admin.delete', () => {
      for (const name of names) this.#broker.deleteTopic(name)
    })
  }

  ranges(partitions: readonly TopicPartition[]): Promise<readonly PartitionRange[]> {
    return this.#gate.pass('admin.ranges', () =>
      partitions.map(({ topic, partition }) => {
        const { start, end, leaderEpoch } = this.#broker.log({ topic, partition })
        return { topic, partition, start, end, leaderEpoch }
      })
    )
  }

  offsetAt(partition: TopicPartition, timestamp: number): Promise<number> {
    return this.#gate.pass('admin.offsetAt', () => this.#broker.log(partition).offsetAt(timestamp))
  }

  committed(
    group: string,
    partitions: readonly TopicPartition[]
  ): Promise<readonly CommittedOffset[]> {
    return this.#gate.pass('admin.committed', () => this.#broker.committed(group, partitions))
  }

  deleteRecords(partition: TopicPartition, before: number): Promise<void> {
    return this.#gate.pass('admin.deleteRecords', () =>
      this.#broker.deleteRecords(partition, before)
    )
  }

  maintain(): Promise<void> {
    return this.#gate.pass('admin.maintain', () => this.#broker.maintain(true))
  }
}
