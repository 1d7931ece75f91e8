// The logs that scenes run on: each behaviour is written once, and tried on every one of them.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { AppOptions, Transport } from 'tailrace'
import { realClock } from '../../src/runtime/real-clock.ts'
import { createEmbeddedTransport } from '../../src/transport/embedded/index.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { testBroker } from '../kafka/broker.ts'
import { namesOf, type VisitsNames } from './visits.ts'

export const everyLog = ['embedded', 'Kafka'] as const

export type LogName = (typeof everyLog)[number]

export interface SceneLog {
  readonly name: LogName
  /** As TAILRACE_BROKER takes it. */
  readonly broker: string
  /** The same for what the test itself runs. */
  readonly ownBroker: string
  /** A client beside those of the workers. */
  readonly transport: Transport
  readonly names: VisitsNames
  /** Of everything that has a name on a broker that others use as well. */
  readonly suffix: string
  readonly options: Partial<AppOptions>
  /** The same for a worker of its own process. */
  readonly environment: Readonly<Record<string, string>>
  close(): Promise<void>
}

/** The log of a scene whose folder this is, open. */
export async function openLog(name: LogName, directory: string): Promise<SceneLog> {
  return name === 'embedded' ? openEmbedded(join(directory, 'log')) : openKafka()
}

/** A label of one log's own says by its name which log that is. */
export function logsOf(label: string): readonly LogName[] {
  if (label.startsWith('embedded.')) return ['embedded']
  return label.startsWith('kafka.') ? ['Kafka'] : everyLog
}

async function openEmbedded(directory: string): Promise<SceneLog> {
  const transport = createEmbeddedTransport({ directory, clock: realClock })
  await transport.open()
  return {
    name: 'embedded',
    broker: `embedded:${directory}`,
    ownBroker: `embedded:${directory}`,
    transport,
    names: namesOf(''),
    suffix: '',
    options: {},
    environment: {},
    close: () => transport.close()
  }
}

/** As on the embedded log, so that a scene means the same on both. */
const session = { sessionTimeout: '3s', heartbeat: '200ms' } as const

export interface SceneBroker {
  readonly url: string
  /** For the test's own client, where that must not meet what its workers meet. @default `url` */
  readonly ownUrl?: string
  /** It goes with the scene, and all that is in it. */
  readonly isOwn?: boolean
  [Symbol.asyncDispose](): Promise<void>
}

async function openKafka(): Promise<SceneLog> {
  return await openKafkaOn(await testBroker())
}

/** Lets the broker go when it closes, or cannot be opened. */
export async function openKafkaOn(broker: SceneBroker): Promise<SceneLog> {
  const ownBroker = broker.ownUrl ?? broker.url
  const transport = createKafkaTransport({ url: ownBroker })
  const suffix = `-${randomBytes(5).toString('hex')}`
  const names = namesOf(suffix)
  const topics = [names.app, names.seen, names.byPage, `nothing${suffix}`].concat(
    ['users', 'pages', 'views'].map((table) => names.changelog(table))
  )
  try {
    await transport.open()
  } catch (error) {
    await broker[Symbol.asyncDispose]()
    throw error
  }
  return {
    name: 'Kafka',
    broker: broker.url,
    ownBroker,
    transport,
    names,
    suffix,
    options: session,
    environment: {
      SCENE_SUFFIX: suffix,
      TAILRACE_SESSION_TIMEOUT: session.sessionTimeout,
      TAILRACE_HEARTBEAT: session.heartbeat
    },
    close: async () => {
      // Many scenes meet on a broker, and each of its partitions costs it.
      if (broker.isOwn !== true) await transport.admin().delete(topics)
      await transport.close()
      await broker[Symbol.asyncDispose]()
    }
  }
}
