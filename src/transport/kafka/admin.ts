// Topics, ranges, times and committed offsets, as the brokers tell them.

import type {
  Admin,
  CommittedOffset,
  PartitionRange,
  Safety,
  TopicDescription,
  TopicPartition,
  TopicSpec
} from '../../port/transport.ts'
import type { Cluster } from './cluster.ts'
import { createTopicsV7, deleteRecordsV2, deleteTopicsV6, describeConfigsV4 } from './library.ts'
import type { MetadataTopic } from './metadata.ts'
import { committedOffsets } from './committed.ts'
import { earliest, endOfEpoch, latest, listOffsets } from './offsets.ts'
import { KafkaFailure, kafka, local, throwIf, toTailraceError } from './protocol-failure.ts'
import {
  type ConfigEntry,
  configsOf,
  insyncMinOf,
  limitsOf,
  rightsOf,
  settingsOf
} from './topic-settings.ts'

const topicResource = 2 as const
const requestMsMax = 30_000
const insyncSetting = 'min.insync.replicas'

export class KafkaAdmin implements Admin {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async describe(names?: readonly string[]): Promise<readonly TopicDescription[]> {
    const which = names === undefined ? 'the topics' : `the topics ${names.join(', ')}`
    const what = `${which} could not be described`
    if (names?.length === 0) return []
    return this.#within(what, () =>
      this.#cluster.retry(what, async () => {
        const { topics } = await this.#cluster.describe(names)
        const found = topics.filter((topic) => isThere(topic, names !== undefined))
        return this.#describeAll(found)
      })
    )
  }

  async create(topics: readonly TopicSpec[]): Promise<readonly TopicDescription[]> {
    const names = topics.map(({ name }) => name)
    if (names.length === 0) return []
    const what = `the topics ${names.join(', ')} could not be created`
    return this.#within(what, async () => {
      await this.#cluster.retry(what, () => this.#create(topics))
      return this.#cluster.retry(what, () => this.#describeWhole(names))
    })
  }

  async delete(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    const what = `the topics ${names.join(', ')} could not be deleted`
    await this.#within(what, async () => {
      await this.#cluster.retry(what, () => this.#delete(names))
      await this.#cluster.retry(what, async () => {
        const { topics } = await this.#cluster.describe(names)
        const left = topics.find(({ errorCode }) => errorCode === kafka.none)
        if (left === undefined) return
        const reason = `topic ${left.name} is still there`
        throw new KafkaFailure(local.timedOut, what, { reason })
      })
    })
  }

  async ranges(partitions: readonly TopicPartition[]): Promise<readonly PartitionRange[]> {
    return this.#within('the offsets could not be asked for', async () => {
      const [starts, ends] = await Promise.all([
        listOffsets(this.#cluster, partitions, earliest),
        listOffsets(this.#cluster, partitions, latest)
      ])
      return partitions.map(({ topic, partition }, index) => {
        const [start, end] = [starts[index], ends[index]]
        if (start === undefined || end === undefined) throw new RangeError('an offset is missing')
        const { leaderEpoch } = end
        return { topic, partition, start: start.offset, end: end.offset, leaderEpoch }
      })
    })
  }

  async endOfEpoch(partition: TopicPartition, leaderEpoch: number): Promise<number | undefined> {
    const what = 'the end of a leader epoch could not be asked for'
    return this.#within(what, () => endOfEpoch(this.#cluster, partition, leaderEpoch))
  }

  async offsetAt(partition: TopicPartition, timestamp: number): Promise<number> {
    return this.#within('the offset of a time could not be asked for', async () => {
      const [found] = await listOffsets(this.#cluster, [partition], timestamp)
      if (found !== undefined && found.offset >= 0) return found.offset
      const [end] = await listOffsets(this.#cluster, [partition], latest)
      return end?.offset ?? 0
    })
  }

  async committed(
    group: string,
    partitions: readonly TopicPartition[]
  ): Promise<readonly CommittedOffset[]> {
    if (partitions.length === 0) return []
    return this.#within(`the offsets of group ${group} could not be read`, () =>
      committedOffsets(this.#cluster, group, partitions)
    )
  }

  async deleteRecords({ topic, partition }: TopicPartition, before: number): Promise<void> {
    const what = `records of ${topic}/${partition} below ${before} could not be deleted`
    await this.#within(what, () =>
      this.#cluster.retry(what, async () => {
        const leader = await this.#cluster.leader({ topic, partition })
        const link = await this.#cluster.link(leader.broker, 'control')
        const partitions = [{ partitionIndex: partition, offset: BigInt(before) }]
        const api = deleteRecordsV2.api
        const answer = await link.call(api, [{ name: topic, partitions }], requestMsMax)
        const code = answer.topics[0]?.partitions[0]?.errorCode ?? kafka.none
        if (code === kafka.none) return
        this.#cluster.outdated([topic])
        throwIf(code, `deleting records`, 'DELETE')
      })
    )
  }

  async safety(names: readonly string[]): Promise<Safety> {
    const what = 'the safety of the topics could not be asked for'
    return this.#within(what, () =>
      this.#cluster.retry(what, async () => {
        const { brokers, topics } = await this.#cluster.describe(names)
        const found = topics.filter((topic) => isThere(topic, true))
        const copies = found.flatMap(({ partitions }) =>
          partitions.map(({ replicaNodes }) => replicaNodes.length)
        )
        const least = await this.#insyncOf(found)
        const servers = brokers.length
        return { servers, replication: Math.min(...copies), insyncMin: Math.min(...least) }
      })
    )
  }

  async #insyncOf(topics: readonly MetadataTopic[]): Promise<readonly number[]> {
    const resources = topics.map(({ name }) => ({
      resourceType: topicResource,
      resourceName: name ?? '',
      configurationKeys: [insyncSetting]
    }))
    const link = await this.#cluster.any()
    const { results } = await link.call(describeConfigsV4.api, resources)
    return results.map(({ configs }) => {
      const found = configs.find(({ name }) => name === insyncSetting)
      return Number(found?.value ?? 1)
    })
  }

  /** The brokers delete and compact in their own time; nobody can hurry them. */
  async maintain(): Promise<void> {}

  async #create(topics: readonly TopicSpec[]): Promise<void> {
    const link = await this.#cluster.controller()
    const specs = topics.map(({ name, partitions, replication, settings }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: replication,
      assignments: [],
      configs: [...configsOf(settings)]
    }))
    const answer = await link.call(createTopicsV7.api, specs, requestMsMax, false)
    for (const { name, errorCode, errorMessage } of answer.topics) {
      if (errorCode === kafka.topicAlreadyExists) continue
      refuse(errorCode, `topic ${name}`, { said: errorMessage, right: 'CREATE' })
    }
  }

  async #delete(names: readonly string[]): Promise<void> {
    const link = await this.#cluster.controller()
    const wanted = names.map((name) => ({ name }))
    const answer = await link.call(deleteTopicsV6.api, wanted, requestMsMax)
    for (const { name, errorCode, errorMessage } of answer.responses) {
      if (errorCode === kafka.unknownTopicOrPartition) continue
      refuse(errorCode, `topic ${name}`, { said: errorMessage, right: 'DELETE' })
    }
  }

  /** Fails while a topic is not known with all its leaders: it was created a moment ago. */
  async #describeWhole(names: readonly string[]): Promise<readonly TopicDescription[]> {
    const { topics } = await this.#cluster.describe(names)
    for (const { name, errorCode, partitions } of topics) {
      throwIf(errorCode, `topic ${name}`)
      const hasLeaders = partitions.every(({ leaderId }) => leaderId >= 0)
      if (!hasLeaders) throwIf(kafka.leaderNotAvailable, `topic ${name}`)
    }
    const order = new Map(names.map((name, index) => [name, index]))
    const described = await this.#describeAll(topics)
    return described.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
  }

  async #describeAll(topics: readonly MetadataTopic[]): Promise<readonly TopicDescription[]> {
    if (topics.length === 0) return []
    const link = await this.#cluster.any()
    const resources = topics.map(({ name }) => ({
      resourceType: topicResource,
      resourceName: name ?? '',
      configurationKeys: null
    }))
    const { results } = await link.call(describeConfigsV4.api, resources)
    const configsOfTopics = new Map(
      results.map(({ resourceName, errorCode, errorMessage, configs }) => {
        if (errorCode !== kafka.unknownTopicOrPartition) {
          const right = 'DESCRIBE_CONFIGS'
          refuse(errorCode, `topic ${resourceName}`, { said: errorMessage, right })
        }
        return [resourceName, configs]
      })
    )
    return topics.flatMap((topic) => {
      const configs = configsOfTopics.get(topic.name ?? '')
      // Deleted between the two questions.
      return configs === undefined ? [] : [descriptionOf(topic, configs)]
    })
  }

  async #within<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw toTailraceError(error, what)
    }
  }
}

function descriptionOf(
  { name, partitions, topicAuthorizedOperations, topicId: id }: MetadataTopic,
  configs: readonly ConfigEntry[]
): TopicDescription {
  const rights = rightsOf(topicAuthorizedOperations)
  return {
    name: name ?? '',
    id,
    partitions: partitions.length,
    replication: partitions[0]?.replicaNodes.length ?? 0,
    settings: settingsOf(configs),
    limits: limitsOf(configs),
    insyncMin: insyncMinOf(configs),
    ...(rights !== undefined && { rights })
  }
}

function isThere({ name, errorCode, isInternal }: MetadataTopic, wasNamed: boolean): boolean {
  if (errorCode === kafka.unknownTopicOrPartition || errorCode === kafka.invalidTopic) return false
  if (!wasNamed && (isInternal || errorCode !== kafka.none)) return false
  throwIf(errorCode, `topic ${name}`)
  return true
}

interface Refusal {
  /** The broker's own words. */
  readonly said: string | null | undefined
  readonly right: string
}

function refuse(code: number, what: string, { right, said }: Refusal): void {
  if (code === kafka.none) return
  const hasReason = said !== null && said !== undefined && said !== ''
  throw new KafkaFailure(code, what, {
    right,
    ...(hasReason && { reason: said.replace(/\.$/, '') })
  })
}
