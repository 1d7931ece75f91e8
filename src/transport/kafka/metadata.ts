// Who leads which partition, as far as it was told: a cache of Kafka's metadata answers.

import type { TopicPartition } from '../../port/transport.ts'
import { kafka, local } from './protocol-failure.ts'

export interface PartitionLeader {
  readonly broker: number
  readonly leaderEpoch: number
  readonly topicId: string
}

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** What is used of a metadata answer. */
export interface MetadataAnswer {
  readonly brokers: readonly (BrokerAddress & { readonly nodeId: number })[]
  readonly controllerId: number
  readonly topics: readonly MetadataTopic[]
}

export interface MetadataTopic {
  readonly errorCode: number
  readonly name?: string | null | undefined
  readonly topicId: string
  readonly isInternal: boolean
  /** Bits; see `rightsOf`. */
  readonly topicAuthorizedOperations: number
  readonly partitions: readonly MetadataPartition[]
}

export interface MetadataPartition {
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
}

interface KnownTopic {
  readonly id: string
  readonly count: number
  readonly partitions: ReadonlyMap<number, PartitionLeader>
}

export class Metadata {
  readonly #brokers: Map<number, BrokerAddress> = new Map()
  readonly #topics: Map<string, KnownTopic> = new Map()
  readonly #names: Map<string, string> = new Map()
  readonly #errors: Map<string, number> = new Map()
  readonly #outdated: Set<string> = new Set()
  #controller = -1

  get controller(): number {
    return this.#controller
  }

  get brokers(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  address(broker: number): BrokerAddress | undefined {
    return this.#brokers.get(broker)
  }

  topicName(id: string): string | undefined {
    return this.#names.get(id)
  }

  /** Undefined when it is not known, or known to be behind. */
  leader({ topic, partition }: TopicPartition): PartitionLeader | undefined {
    if (this.#outdated.has(topic)) return undefined
    return this.#topics.get(topic)?.partitions.get(partition)
  }

  /** Why a partition has no leader here; 0 when it has one. */
  errorOf({ topic, partition }: TopicPartition): number {
    const known = this.#topics.get(topic)
    if (known === undefined) return this.#errors.get(topic) ?? kafka.unknownTopicOrPartition
    if (known.partitions.has(partition)) return kafka.none
    return partition < known.count ? local.noLeader : kafka.unknownTopicOrPartition
  }

  /** A broker is not reached: whoever led by it is led by another soon. */
  outdatedOf(broker: number): void {
    for (const [topic, { partitions }] of this.#topics) {
      for (const leader of partitions.values()) {
        if (leader.broker === broker) this.#outdated.add(topic)
      }
    }
  }

  outdated(topics: readonly string[]): void {
    for (const topic of topics) this.#outdated.add(topic)
  }

  learnBroker(broker: number, { host, port }: BrokerAddress): void {
    this.#brokers.set(broker, { host, port })
  }

  /** Takes over an answer; topics it has no word about stay as they were. */
  apply({ brokers, controllerId, topics }: MetadataAnswer): void {
    this.#controller = controllerId
    if (brokers.length > 0) this.#brokers.clear()
    for (const { nodeId, host, port } of brokers) this.learnBroker(nodeId, { host, port })
    for (const topic of topics) this.#applyTopic(topic)
  }

  /** A leader named by a broker that is it no longer. */
  learnLeader(
    { topic, partition }: TopicPartition,
    { broker, leaderEpoch }: { readonly broker: number; readonly leaderEpoch: number }
  ): void {
    const known = this.#topics.get(topic)
    const before = known?.partitions.get(partition)
    if (known === undefined || (before !== undefined && before.leaderEpoch >= leaderEpoch)) return
    const partitions = new Map(known.partitions)
    partitions.set(partition, { broker, leaderEpoch, topicId: known.id })
    this.#topics.set(topic, { ...known, partitions })
    this.#outdated.delete(topic)
  }

  #applyTopic({ errorCode, name, topicId, partitions }: MetadataTopic): void {
    if (name === null || name === undefined) return
    const before = this.#topics.get(name)
    this.#outdated.delete(name)
    if (errorCode !== kafka.none) {
      this.#topics.delete(name)
      this.#errors.set(name, errorCode)
      return
    }
    this.#errors.delete(name)
    const known = before?.id === topicId ? before.partitions : undefined
    const leaders = new Map<number, PartitionLeader>()
    for (const { partitionIndex, leaderId: broker, leaderEpoch } of partitions) {
      const old = known?.get(partitionIndex)
      // A broker that is behind answers with the leader before: the higher epoch is the newer.
      if (old !== undefined && old.leaderEpoch > leaderEpoch) leaders.set(partitionIndex, old)
      else if (broker >= 0) leaders.set(partitionIndex, { broker, leaderEpoch, topicId })
    }
    this.#topics.set(name, { id: topicId, count: partitions.length, partitions: leaders })
    this.#names.set(topicId, name)
  }
}
