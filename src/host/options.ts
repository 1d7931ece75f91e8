// The options of an app as code gives them, and as they are once every source was asked.
import type { Codec } from '../core/codec.ts'
import type { OnError } from '../core/decision.ts'
import type { Duration } from '../core/duration.ts'
import type { Clock } from '../port/clock.ts'
import type { Store } from '../port/store.ts'
import type { Transport } from '../port/transport.ts'
import type { Log } from '../runtime/log.ts'
import type { WorkerSettings } from '../runtime/settings.ts'
import type { SwarmChoice, SwarmOptions } from './swarm-options.ts'

/** What a transport of your own is made from. */
export interface TransportContext {
  /** The `broker` option. */
  readonly broker: string
  /** The app's id. */
  readonly app: string
  /** Time to live by: take no other, so that tests can own it. */
  readonly clock: Clock
  /** The option of that name. */
  readonly synchronous: 'normal' | 'full'
  /** The worker's own log; silent for a program that only sends. */
  readonly log: Log
}

/** Makes a transport of your own, not yet open. */
export type TransportFactory = (context: TransportContext) => Transport | Promise<Transport>
/** Makes a store of your own, not yet open, in the data directory of this worker. */
export type StoreFactory = (context: { readonly directory: string }) => Store

/** How a worker logs in to Kafka. */
export interface SaslOptions {
  /** @default plain where a user is named, oauthbearer where a token is */
  readonly mechanism?: 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer'
  /** Of the user, unless the broker URL names it. */
  readonly username?: string
  /** Of the user; never printed. */
  readonly password?: string
  /** For `oauthbearer`. */
  readonly token?: string
  /** Instead of `token`: a file with it, read again at every login. */
  readonly tokenFile?: string
}

/** Whom a worker trusts, and what it shows of itself: each the name of a file, or PEM text. */
export interface TlsOptions {
  /** Certificates of the authorities that are trusted. @default those Node trusts */
  readonly ca?: string
  /** Our own certificate, for brokers that ask for one. */
  readonly cert?: string
  /** The key of `cert`. */
  readonly key?: string
  /** The password of `key`; never printed. */
  readonly keyPassword?: string
}

/** Where the worker's web pages are served. */
export interface WebOptions {
  /** 0 to 65535; 0 takes any port that is free. @default 6066 */
  readonly port?: number
  /** Address to listen at; there is no authentication. @default 127.0.0.1 */
  readonly host?: string
}

/**
 * Options that a start may set as well; every one has its row, with its limits, in
 * docs/reference/options.md. What stands here is stronger than `createApp`, and weaker than flags.
 */
export interface RunOptions {
  /**
   * Where the log is: `embedded:<directory>`, `kafka://host:9092,…` or `memory:`.
   *
   * @default embedded:./.tailrace/log, refused under NODE_ENV=production
   */
  readonly broker?: string
  /** The least that is promised; a log that gives more gives more. @default exactly-once */
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  /**
   * Where tables are kept: each worker takes `worker-N` in it, the first that is free. A directory
   * that is itself called `worker-N` is this worker's own.
   *
   * @default ./.tailrace/data/<app>
   */
  readonly datadir?: string
  /** What keeps tables between two starts. @default level; memory where the broker is `memory:` */
  readonly store?: 'level' | 'memory' | StoreFactory
  /** Makes the connection to a log of your own. @default chosen by `broker` */
  readonly transport?: TransportFactory
  /** Time between two commits. @default 100ms exactly-once, 1s at-least-once */
  readonly commitInterval?: Duration
  /** After this a commit that has not ended has failed. @default 30s */
  readonly commitTimeout?: Duration
  /** A broker that has not answered for longer ends the process. @default 5m */
  readonly brokerTimeout?: Duration
  /** How long an event may go on when its task moves to another worker. @default 10s */
  readonly drainTimeout?: Duration
  /** How long a stopping worker waits for the events it works on. @default 30s */
  readonly shutdownTimeout?: Duration
  /** An event worked on for longer ends the process. @default 5m */
  readonly stallTimeout?: Duration
  /** How long a task waits for an empty source, to keep the order of time (KIP-695). @default 0 */
  readonly taskIdle?: Duration
  /** Table values kept decoded in memory, for the whole worker, in bytes. @default 64 MiB */
  readonly cacheBytesMax?: number
  /** Bytes read ahead of one partition; then it is paused. @default 8 MiB */
  readonly queueBytesMax?: number
  /** The same as a number of records. @default 10,000 */
  readonly queueRecordsMax?: number
  /** Bytes of one fetch, for the whole worker. @default 64 MiB */
  readonly fetchBytesMax?: number
  /** Key and value of a larger record are refused where it is sent, in bytes. @default 1 MiB */
  readonly recordBytesMax?: number
  /** How far an event can move stream time ahead of the clock. @default 1h */
  readonly futureLimit?: Duration
  /** Where an app begins to read a topic that it never read. @default earliest */
  readonly offsetReset?: 'earliest' | 'latest'
  /** What happens when the next record to read is gone from the log. @default stop */
  readonly onOffsetLost?: 'stop' | 'earliest' | 'latest'
  /** Tables of a task that moved away are deleted after this. @default 10m */
  readonly stateCleanup?: Duration
  /** `full` waits for the disk at each write, against power loss. @default normal */
  readonly synchronous?: 'normal' | 'full'
  /** Kafka: how a worker logs in; stronger than a login in the broker URL. @default not at all */
  readonly sasl?: SaslOptions
  /** Kafka: whether connections are encrypted, and whom we trust. @default false */
  readonly tls?: boolean | TlsOptions
  /**
   * Kafka: copies of each topic that the app makes for itself: changelogs, repartition topics, dead
   * letters. A topic that is declared says its own `replication`.
   *
   * @default -1: what the brokers have as `default.replication.factor`
   */
  readonly replicationFactor?: number
  /** Kafka: a worker that is silent for longer has left its group. @default 45s */
  readonly sessionTimeout?: Duration
  /** Kafka: time between two signs of life. @default 3s, or a third of a shorter session */
  readonly heartbeat?: Duration
  /**
   * Kafka: makes this worker a static member under this name, each worker of the app under one of
   * its own: a restart within `sessionTimeout` moves nothing. @default none: not static
   */
  readonly instanceId?: string
  /**
   * Kafka: a static member named by host and data directory, `<host>-worker-N`, where `instanceId`
   * says nothing. @default false
   */
  readonly static?: boolean
  /**
   * Kafka: where this worker runs, in the words of the brokers' `broker.rack`: a replica of there
   * is read from instead of the leader, where their `replica.selector.class` says so (KIP-392).
   *
   * @default none: leaders are read from
   */
  readonly rack?: string
  /**
   * Runs only these agents; stronger than an exclusion. Agents that share a source topic or a table
   * can only be chosen together.
   *
   * @default all
   */
  readonly includeAgents?: readonly string[]
  /** Runs all agents but these. @default none */
  readonly excludeAgents?: readonly string[]
  /** Reads only these topics; stronger than an exclusion. @default all */
  readonly includeTopics?: readonly string[]
  /** Reads all topics but these. @default none */
  readonly excludeTopics?: readonly string[]
  /** `false`: no web pages. @default port 6066 on 127.0.0.1 */
  readonly web?: boolean | WebOptions
  /** The least important lines that the log shows. @default info for `main`, warn for `start` */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** What `createApp` takes. */
export interface AppOptions extends RunOptions {
  /**
   * Names the app, its consumer group and its internal topics: letters, digits, `.`, `_` and `-`.
   * Another id is another app, which reads everything anew.
   */
  readonly id: string
  /** Codec of values that name none. @default json */
  readonly codec?: Codec
  /** Topic for records that could not be handled. @default none: the worker stops at them */
  readonly deadLetter?: string
  /**
   * What becomes of an event that failed, where its agent does not say.
   *
   * @default retry(), then the dead letter topic if there is one, else stop
   */
  readonly onError?: OnError
  /** How `tailrace swarm` runs it, on every core. @default one node a core */
  readonly swarm?: SwarmOptions
}

/** Names of agents and topics that a worker was told to run or not to run. */
export interface Selection {
  readonly includeAgents: readonly string[] | undefined
  readonly excludeAgents: readonly string[] | undefined
  readonly includeTopics: readonly string[] | undefined
  readonly excludeTopics: readonly string[] | undefined
}

/** What only Kafka asks for; what is left out has the transport's default. */
export interface KafkaChoice {
  readonly sasl: SaslOptions
  readonly tls: false | TlsOptions
  readonly sessionTimeoutMs: number | undefined
  readonly heartbeatMs: number | undefined
  readonly instanceId: string | undefined
  readonly isStatic: boolean
  readonly rack: string | undefined
}

/** Every option with its one value. */
export interface ResolvedOptions {
  readonly broker: string
  readonly isBrokerDefault: boolean
  readonly guarantee: 'exactly-once' | 'at-least-once'
  readonly deadLetter: string | undefined
  readonly datadir: string
  readonly isDatadirDefault: boolean
  readonly store: 'level' | 'memory' | StoreFactory
  readonly transport: TransportFactory | undefined
  readonly settings: WorkerSettings
  readonly kafka: KafkaChoice
  readonly synchronous: 'normal' | 'full'
  readonly web: { readonly host: string; readonly port: number } | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined
  readonly selection: Selection
  readonly swarm: SwarmChoice
}
