// The options of an app as code gives them, and as they are once every source was asked.
import type { Codec } from '../core/codec.ts'
import type { OnError } from '../core/decision.ts'
import type { Duration } from '../core/duration.ts'
import type { Clock } from '../port/clock.ts'
import type { Store } from '../port/store.ts'
import type { Transport } from '../port/transport.ts'
import type { WorkerSettings } from '../runtime/settings.ts'

/** What a transport of your own is made from. */
export interface TransportContext {
  /** The `broker` option. */
  readonly broker: string
  readonly app: string
  readonly clock: Clock
  readonly synchronous: 'normal' | 'full'
}

export type TransportFactory = (context: TransportContext) => Transport | Promise<Transport>
export type StoreFactory = (context: { readonly directory: string }) => Store

export interface WebOptions {
  /** 0 takes any port that is free. @default 6066 */
  readonly port?: number
  /** @default 127.0.0.1 */
  readonly host?: string
}

/** Options that a start may set as well; every one has its row in docs/reference/options.md. */
export interface RunOptions {
  /** `embedded:<directory>` or `memory:`. @default embedded:./.tailrace/log */
  readonly broker?: string
  /** @default exactly-once */
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  /** Each worker takes `worker-N` in it, the first that is free. @default ./.tailrace/data/<app> */
  readonly datadir?: string
  /** @default level; memory where the broker is `memory:` */
  readonly store?: 'level' | 'memory' | StoreFactory
  readonly transport?: TransportFactory
  readonly commitInterval?: Duration
  readonly commitTimeout?: Duration
  readonly drainTimeout?: Duration
  readonly shutdownTimeout?: Duration
  readonly stallTimeout?: Duration
  readonly taskIdle?: Duration
  readonly cacheBytesMax?: number
  readonly queueBytesMax?: number
  readonly queueRecordsMax?: number
  readonly fetchBytesMax?: number
  readonly recordBytesMax?: number
  readonly futureLimit?: Duration
  readonly offsetReset?: 'earliest' | 'latest'
  readonly onOffsetLost?: 'stop' | 'earliest' | 'latest'
  readonly stateCleanup?: Duration
  readonly synchronous?: 'normal' | 'full'
  /** `false`: no web pages. @default port 6066 on 127.0.0.1 */
  readonly web?: boolean | WebOptions
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

export interface AppOptions extends RunOptions {
  /** Names the app, its consumer group and its internal topics. */
  readonly id: string
  /** Codec of values that name none. @default json */
  readonly codec?: Codec
  /** Topic for records that could not be handled. */
  readonly deadLetter?: string
  /** @default retry(), then the dead letter topic if there is one, else stop */
  readonly onError?: OnError
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
  readonly synchronous: 'normal' | 'full'
  readonly web: { readonly host: string; readonly port: number } | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined
}
