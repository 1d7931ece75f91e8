// Kafka as a transport: the workers of an app share it from any number of machines.

import { TailraceError } from '../../core/errors.ts'
import type { Problem } from '../../core/problems.ts'
import { refuseAll } from '../../core/problems.ts'
import type { Clock } from '../../port/clock.ts'
import type { Coordinator } from '../../port/coordinator.ts'
import type {
  Admin,
  Fetcher,
  Producer,
  ThreadDoor,
  TransactionalProducer,
  TransactionOptions,
  Transport,
  TransportFeatures
} from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { KafkaAdmin } from './admin.ts'
import { openAtLeastOnce } from './at-least-once.ts'
import { parseBrokerUrl } from './broker-url.ts'
import { Cluster } from './cluster.ts'
import { type KafkaCoordinator, kafkaCoordinator } from './coordinator.ts'
import { KafkaFetcher } from './fetcher.ts'
import { type GroupTimes, groupTimesOf } from './group-times.ts'
import type { BrokerAddress } from './metadata.ts'
import { openProducer } from './producer.ts'
import { toTailraceError } from './protocol-failure.ts'
import type { Credentials, KafkaSasl, KafkaTls } from './security.ts'
import { readCredentials, securityOf } from './security.ts'
import { openTransactional } from './transaction.ts'

export type { KafkaSasl, KafkaTls, SaslMechanism } from './security.ts'

/** Where the brokers are, and how we meet them. */
export interface KafkaOptions {
  /** `kafka://host:9092,other:9092`; may hold a login, which `sasl` overrides. */
  readonly url: string
  /** How we log in. @default not at all, unless the URL holds a login */
  readonly sasl?: KafkaSasl
  /** `true` trusts whom Node trusts. @default false */
  readonly tls?: boolean | KafkaTls
  /** How brokers name us in their logs and quotas. @default tailrace */
  readonly clientId?: string
  /** @default the clock of this machine */
  readonly clock?: Clock
  /** A member that is silent for longer has left its group. @default 45000 */
  readonly sessionTimeoutMs?: number
  /** @default 3000, or a third of the session where that is shorter */
  readonly heartbeatMs?: number
  /** Where this process is: a replica of there may serve it (KIP-392). @default leaders only */
  readonly rack?: string
}

const mebibyte = 1_048_576
/** Kafka's own default; a worker names what fits its other timeouts. */
const transactionTimeoutMsDefault = 60_000

/** What another thread needs to open the same; holds secrets, and stays in memory. */
export interface KafkaPlace extends GroupTimes {
  readonly brokers: readonly BrokerAddress[]
  readonly shown: string
  readonly credentials: Credentials
  readonly clientId: string
  /** Empty where nobody said it. */
  readonly rack: string
}

/**
 * A connection to Kafka, not yet open; what `broker: 'kafka://…'` makes.
 *
 * @throws TAILRACE_CONFIG_INVALID for a URL, a login or certificates that cannot be used
 * @throws at `open`: TAILRACE_TRANSPORT_UNAVAILABLE, TAILRACE_TRANSPORT_AUTHENTICATION,
 *   TAILRACE_TRANSPORT_CERTIFICATE, TAILRACE_TRANSPORT_TLS, TAILRACE_TRANSPORT_BROKER_VERSION
 */
export function createKafkaTransport(options: KafkaOptions): Transport {
  return kafkaAt(placeOf(options), options.clock ?? realClock)
}

/** As `createKafkaTransport`, for what was checked already. */
export function kafkaAt(place: KafkaPlace, clock: Clock): Transport {
  return new KafkaTransport(place, clock)
}

function placeOf(options: KafkaOptions): KafkaPlace {
  const problems: Problem[] = []
  const url = parseBrokerUrl(options.url)
  const isUsable = 'brokers' in url
  if (!isUsable) problems.push(...url)
  const login = isUsable ? { username: url.username, password: url.password } : {}
  const credentials = readCredentials({ sasl: options.sasl, tls: options.tls, ...login }, problems)
  refuseAll('TAILRACE_CONFIG_INVALID', 'the connection to Kafka', problems)
  return {
    brokers: isUsable ? url.brokers : [],
    shown: isUsable ? url.shown : '',
    credentials,
    clientId: options.clientId ?? 'tailrace',
    ...groupTimesOf(options),
    rack: options.rack ?? ''
  }
}

class KafkaTransport implements Transport {
  readonly name: string = 'kafka'
  readonly url: string
  readonly features: TransportFeatures
  readonly door: ThreadDoor
  readonly #place: KafkaPlace
  readonly #clock: Clock
  #opening: Promise<Cluster> | undefined
  #cluster: Cluster | undefined
  #coordinators: KafkaCoordinator[] = []

  constructor(place: KafkaPlace, clock: Clock) {
    this.#place = place
    this.#clock = clock
    this.url = place.shown
    const { heartbeatMs, sessionTimeoutMs } = place
    this.features = {
      isDurable: true,
      isShared: true,
      transactionBytesMax: 32 * mebibyte,
      sessionTimeoutMs,
      heartbeatMs,
      replicationDefault: -1
    }
    // The packed package holds JavaScript, the repository TypeScript: whichever this file is.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.door = {
      module: new URL(`./thread-door.${extension}`, import.meta.url).href,
      argument: JSON.stringify(place)
    }
  }

  async open(): Promise<void> {
    this.#opening ??= this.#connect()
    try {
      this.#cluster = await this.#opening
    } catch (error) {
      // What stood in the way may be mended: the next call tries again.
      this.#opening = undefined
      throw error
    }
  }

  async #connect(): Promise<Cluster> {
    const { brokers, clientId, credentials } = this.#place
    const security = securityOf(credentials)
    const cluster = new Cluster({ brokers, clientId, security, clock: this.#clock })
    try {
      await cluster.connect()
      return cluster
    } catch (error) {
      await cluster.close()
      throw toTailraceError(error, `${this.url} could not be opened`)
    }
  }

  admin(): Admin {
    return new KafkaAdmin(this.#opened())
  }

  async producer(): Promise<Producer> {
    return openProducer({ cluster: this.#opened(), clock: this.#clock })
  }

  async transactionalProducer(
    id: string,
    options: TransactionOptions = {}
  ): Promise<TransactionalProducer> {
    const parts = { cluster: this.#opened(), clock: this.#clock }
    if (options.guarantee === 'at-least-once') return openAtLeastOnce(parts)
    const { transactionTimeoutMs = transactionTimeoutMsDefault } = options
    return openTransactional({ ...parts, transactionalId: id, transactionTimeoutMs })
  }

  async fetcher(): Promise<Fetcher> {
    const { rack } = this.#place
    return new KafkaFetcher({ cluster: this.#opened(), clock: this.#clock, rack })
  }

  /** On connections of its own: brokers answer a join late, and what stands behind it waits. */
  async coordinator(): Promise<Coordinator> {
    this.#opened()
    const coordinator = kafkaCoordinator(await this.#connect())
    this.#coordinators.push(coordinator)
    return coordinator
  }

  async close(): Promise<void> {
    // Closed while it opens: there is something to let go of only afterwards.
    await this.#opening?.catch(() => {})
    const cluster = this.#cluster
    this.#cluster = undefined
    this.#opening = undefined
    await Promise.all(this.#coordinators.splice(0).map((one) => one.close()))
    await cluster?.close()
  }

  #opened(): Cluster {
    if (this.#cluster !== undefined) return this.#cluster
    const message = `the connection to ${this.url} is closed`
    throw new TailraceError('TAILRACE_TRANSPORT_CLOSED', message)
  }
}
