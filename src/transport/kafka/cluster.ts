// The brokers as one thing: who leads, who coordinates, a link to each, and when to try again.

import { TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import type { TopicPartition } from '../../port/transport.ts'
import { bootstrap } from './bootstrap.ts'
import type { Purpose } from './broker-links.ts'
import { BrokerLinks } from './broker-links.ts'
import { findCoordinatorV4, metadataV12 } from './library.ts'
import type { Link } from './link.ts'
import type { BrokerAddress, MetadataAnswer, PartitionLeader } from './metadata.ts'
import { Metadata } from './metadata.ts'
import { MetadataLoads } from './metadata-loads.ts'
import { KafkaFailure, kafka, local, throwIf } from './protocol-failure.ts'
import type { Security } from './security.ts'

export type { Purpose } from './broker-links.ts'
export type { PartitionLeader } from './metadata.ts'

export type CoordinatorKind = 'group' | 'transaction'

export interface ClusterParts {
  readonly brokers: readonly BrokerAddress[]
  readonly security: Security
  readonly clientId: string
  readonly clock: Clock
}

export interface RetryOptions {
  /** @default 30000 */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const backOffMs = { first: 100, max: 1_000 }
/** Brokers learn of a new topic one after the other: absence is believed when seen so often. */
const absencesMax = 2

export class Cluster {
  readonly clock: Clock
  readonly #parts: ClusterParts
  readonly #metadata: Metadata = new Metadata()
  readonly #links: BrokerLinks
  readonly #loads: MetadataLoads
  readonly #coordinators: Map<string, number> = new Map()

  constructor(parts: ClusterParts) {
    this.#parts = parts
    this.clock = parts.clock
    this.#links = new BrokerLinks(parts)
    this.#loads = new MetadataLoads(parts.clock, (topics) => this.#load(topics))
  }

  /**
   * Finds the brokers behind the first address that answers.
   *
   * @throws KafkaFailure in under 5 s: none answers, TLS or login do not fit, too old
   */
  async connect(): Promise<void> {
    const { brokers, security, clock } = this.#parts
    // Brokers that once answered without a login want none.
    const mayLackLogin = security.sasl === undefined && this.#metadata.brokers.length === 0
    this.#metadata.apply(await bootstrap({ brokers, clock, mayLackLogin, links: this.#links }))
  }

  async link(broker: number, purpose: Purpose): Promise<Link> {
    if (this.#metadata.address(broker) === undefined) await this.#loads.load([])
    const address = this.#metadata.address(broker)
    if (address === undefined) {
      const reason = `no broker ${broker} is in the cluster right now`
      throw new KafkaFailure(local.connectionLost, 'connecting', { reason })
    }
    try {
      return await this.#links.to(broker, address, purpose)
    } catch (error) {
      // What it led is led by others soon.
      this.#metadata.outdatedOf(broker)
      throw error
    }
  }

  /** A link to any broker, one that is open already by preference. */
  async any(purpose: Purpose = 'control'): Promise<Link> {
    const open = this.#links.openOne(purpose)
    if (open !== undefined) return open
    const { brokers } = this.#metadata
    const first = Math.floor(this.clock.monotonic())
    let last: unknown
    for (let index = 0; index < brokers.length; index++) {
      const broker = brokers[(first + index) % brokers.length] ?? 0
      const address = this.#metadata.address(broker)
      if (address === undefined) continue
      try {
        return await this.#links.to(broker, address, purpose)
      } catch (error) {
        last = error
      }
    }
    // All of them moved, or the first answer came from a cluster that is there no more.
    await this.connect()
    const [broker] = this.#metadata.brokers
    const address = broker === undefined ? undefined : this.#metadata.address(broker)
    if (broker === undefined || address === undefined) throw last
    return this.#links.to(broker, address, purpose)
  }

  /** The broker that creates and deletes topics, or one that passes it on. */
  async controller(): Promise<Link> {
    const { controller } = this.#metadata
    return this.#metadata.address(controller) === undefined
      ? this.any()
      : this.link(controller, 'control')
  }

  /** @throws KafkaFailure that is retriable while there is no coordinator */
  async coordinator(kind: CoordinatorKind, key: string, purpose: Purpose): Promise<Link> {
    const name = `${kind}/${key}`
    const known = this.#coordinators.get(name)
    if (known !== undefined) {
      try {
        return await this.link(known, purpose)
      } catch (error) {
        this.#coordinators.delete(name)
        throw error
      }
    }
    const link = await this.any()
    const answer = await link.call(findCoordinatorV4.api, kind === 'group' ? 0 : 1, [key])
    const what = `finding the coordinator of ${kind} ${key}`
    const [found] = answer.coordinators
    if (found === undefined) throw new KafkaFailure(kafka.coordinatorNotAvailable, what)
    throwIf(found.errorCode, what)
    this.#metadata.learnBroker(found.nodeId, found)
    this.#coordinators.set(name, found.nodeId)
    return this.link(found.nodeId, purpose)
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.#coordinators.delete(`${kind}/${key}`)
  }

  /**
   * Who leads a partition; asks when it is not known.
   *
   * @throws TAILRACE_TRANSPORT_UNKNOWN_TOPIC, or a KafkaFailure that is retriable
   */
  async leader(partition: TopicPartition): Promise<PartitionLeader> {
    for (let absences = 0; ; absences++) {
      const known = this.#metadata.leader(partition)
      if (known !== undefined) return known
      if (absences === absencesMax) throw unknownTopic(partition)
      await this.#loads.load([partition.topic])
      const error = this.#metadata.errorOf(partition)
      if (error !== kafka.none && error !== kafka.unknownTopicOrPartition) {
        throwIf(error, `finding the leader of ${partition.topic}/${partition.partition}`)
      }
    }
  }

  /** As `leader`, of what is known already. */
  known(partition: TopicPartition): PartitionLeader | undefined {
    return this.#metadata.leader(partition)
  }

  topicName(id: string): string | undefined {
    return this.#metadata.topicName(id)
  }

  /** A broker said that it does not lead: `leader` asks anew before it answers again. */
  outdated(topics: readonly string[]): void {
    this.#metadata.outdated(topics)
  }

  learnLeader(
    partition: TopicPartition,
    leader: { readonly broker: number; readonly leaderEpoch: number }
  ): void {
    this.#metadata.learnLeader(partition, leader)
  }

  learnBroker(broker: number, address: BrokerAddress): void {
    this.#metadata.learnBroker(broker, address)
  }

  /** The newest metadata of these topics, or of all, with our rights; creates nothing. */
  describe(topics: readonly string[] | undefined): Promise<MetadataAnswer> {
    return this.#ask(topics, { hasRights: true })
  }

  /** Runs `attempt` until it succeeds; failures that pass are waited out, up to `timeoutMs`. */
  async retry<T>(
    _what: string,
    attempt: () => Promise<T>,
    { timeoutMs = 30_000, signal }: RetryOptions = {}
  ): Promise<T> {
    const deadline = this.clock.monotonic() + timeoutMs
    const isAborted = (): boolean => signal?.aborted ?? false
    for (let delayMs = backOffMs.first; ; delayMs = Math.min(backOffMs.max, delayMs * 2)) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof KafkaFailure) || !error.isRetriable) throw error
        const waitMs = delayMs * (0.8 + Math.random() * 0.4)
        if (isAborted() || this.clock.monotonic() + waitMs > deadline) throw error
        await pause(this.clock, waitMs, signal)
        if (isAborted()) throw error
      }
    }
  }

  async close(): Promise<void> {
    await this.#links.close()
  }

  async #load(topics: readonly string[]): Promise<void> {
    await this.#ask(topics)
  }

  async #ask(
    topics: readonly string[] | undefined,
    { hasRights = false }: { readonly hasRights?: boolean } = {}
  ): Promise<MetadataAnswer> {
    const link = await this.any()
    const names = topics === undefined ? null : [...topics]
    const answer = await link.call(metadataV12.api, names, false, hasRights)
    this.#metadata.apply(answer)
    return answer
  }
}

function unknownTopic({ topic, partition }: TopicPartition): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_UNKNOWN_TOPIC',
    `partition ${partition} of topic ${JSON.stringify(topic)} does not exist`,
    { isDefinite: true, context: { topic, partition } }
  )
}
