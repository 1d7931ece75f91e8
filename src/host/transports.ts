// Which log an app talks to: chosen by the broker URL, loaded when it is first needed.
import { resolve } from 'node:path'
import { messageOf, TailraceError } from '../core/errors.ts'
import { nearest } from '../core/problems.ts'
import type { Clock } from '../port/clock.ts'
import type { Transport } from '../port/transport.ts'
import { type Log, silentLog } from '../runtime/log.ts'
import type { MemoryBroker } from '../transport/memory/broker.ts'
import type { KafkaChoice, ResolvedOptions, TransportContext } from './options.ts'

/** Opens logs for one app; what its `memory:` log holds lasts as long as this does. */
export class Transports {
  readonly #app: string
  readonly #clock: Clock
  readonly #inMemory: MemoryLogs = new Map()

  constructor(parts: { readonly app: string; readonly clock: Clock }) {
    this.#app = parts.app
    this.#clock = parts.clock
  }

  /** An open transport; whoever asked for it closes it. */
  async open(
    options: Pick<ResolvedOptions, 'broker' | 'kafka' | 'synchronous' | 'transport'>,
    log: Log = silentLog
  ): Promise<Transport> {
    const { broker, kafka: chosen, synchronous } = options
    const context = { broker, synchronous, app: this.#app, clock: this.#clock, log }
    const transport = await (options.transport ?? ((one) => this.#choose(one, chosen)))(context)
    await transport.open()
    return transport
  }

  async #choose(context: TransportContext, chosen: KafkaChoice): Promise<Transport> {
    const { scheme, rest } = parts(context.broker)
    switch (scheme) {
      case 'embedded':
        return embedded(context, rest)
      case 'memory':
        // A name makes the log one that all apps of this process can meet on.
        return inMemory(context, rest === '' ? this.#inMemory : sharedInMemory, rest)
      case 'kafka':
        return kafka(context, chosen)
      default:
        return refuse(context.broker, scheme)
    }
  }
}

type MemoryLogs = Map<string, MemoryBroker>

const sharedInMemory: MemoryLogs = new Map()

async function inMemory(
  { clock }: TransportContext,
  logs: MemoryLogs,
  name: string
): Promise<Transport> {
  const [memory, { MemoryBroker }] = await Promise.all([
    import('../transport/memory/index.ts'),
    import('../transport/memory/broker.ts')
  ])
  const broker = logs.get(name) ?? new MemoryBroker({ clock })
  logs.set(name, broker)
  return memory.createMemoryTransport(broker)
}

async function embedded(
  { clock, log, synchronous }: TransportContext,
  directory: string
): Promise<Transport> {
  if (directory === '') return refuse('embedded:', 'embedded')
  const { createEmbeddedTransport } = await import('../transport/embedded/index.ts')
  const onMaintenanceError = (error: unknown): void => {
    log.warn({ err: error }, `the log's upkeep failed, and is tried again: ${messageOf(error)}`)
  }
  // Whole, so that who reads the start report in another folder sees that it is another log.
  const place = resolve(directory)
  return createEmbeddedTransport({ directory: place, clock, synchronous, onMaintenanceError })
}

async function kafka(
  { app, broker, clock }: TransportContext,
  { heartbeatMs, rack, sasl, sessionTimeoutMs, tls }: KafkaChoice
): Promise<Transport> {
  // The library behind it takes half a second to load: only who needs it waits.
  const { createKafkaTransport } = await import('../transport/kafka/index.ts')
  return createKafkaTransport({
    url: broker,
    sasl,
    tls,
    clientId: app,
    clock,
    ...(sessionTimeoutMs !== undefined && { sessionTimeoutMs }),
    ...(heartbeatMs !== undefined && { heartbeatMs }),
    ...(rack !== undefined && { rack })
  })
}

function parts(broker: string): { readonly scheme: string; readonly rest: string } {
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(broker)
  return { scheme: (match?.[1] ?? '').toLowerCase(), rest: match?.[2] ?? '' }
}

const schemes = ['embedded', 'memory', 'kafka']

function refuse(broker: string, scheme: string): never {
  const near = nearest(scheme, schemes)
  const guess =
    near === undefined || near === scheme ? '' : `; did you mean ${JSON.stringify(`${near}:`)}?`
  throw new TailraceError(
    'TAILRACE_TRANSPORT_UNKNOWN_URL',
    `the broker ${JSON.stringify(withoutSecrets(broker))} is none that is known; ` +
      `expected 'embedded:<directory>', 'kafka://host:port' or 'memory:'${guess}`
  )
}

/** A URL as it may be shown: the part that can hold a password is left out. */
export function withoutSecrets(url: string): string {
  return url.replace(/\/\/.*@/s, '//***@').replace(/\?.*$/s, '')
}
