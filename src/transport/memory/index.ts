// The log in this process's memory: for tests, for the simulator, and to try things out.

import type { Clock } from '../../port/clock.ts'
import type { Coordinator } from '../../port/coordinator.ts'
import type {
  Admin,
  Fetcher,
  Producer,
  ThreadDoor,
  TransactionalProducer,
  Transport,
  TransportFeatures
} from '../../port/transport.ts'
import { MemoryAdmin } from './admin.ts'
import type { MemoryBroker } from './broker.ts'
import { MemoryCoordinator } from './coordinator.ts'
import { MemoryFetcher } from './fetcher.ts'
import type { FaultHook } from './gate.ts'
import { Gate } from './gate.ts'
import { MemoryProducer } from './producer.ts'
import { MemoryTransactionalProducer } from './transactional-producer.ts'

export interface MemoryTransportOptions {
  /** Decides which operations of this connection are delayed or fail. */
  readonly faults?: FaultHook
}

/** A connection to a log that others of the same process may share. */
export function createMemoryTransport(
  broker: MemoryBroker,
  options: MemoryTransportOptions = {}
): MemoryTransport {
  return new MemoryTransport(broker, options)
}

export class MemoryTransport implements Transport {
  readonly name = 'memory'
  readonly url = 'memory:'
  readonly door: ThreadDoor | undefined = undefined
  readonly features: TransportFeatures = {
    isDurable: false,
    isShared: false,
    transactionBytesMax: 4 * 1024 * 1024,
    sessionTimeoutMs: 3_000,
    heartbeatMs: 200
  }
  readonly #broker: MemoryBroker
  readonly #gate: Gate

  constructor(broker: MemoryBroker, options: MemoryTransportOptions) {
    this.#broker = broker
    this.#gate = new Gate(broker.clock, options.faults)
  }

  get clock(): Clock {
    return this.#broker.clock
  }

  open(): Promise<void> {
    return this.#gate.pass('open', () => undefined)
  }

  admin(): Admin {
    return new MemoryAdmin(this.#broker, this.#gate)
  }

  producer(): Promise<Producer> {
    return this.#gate.pass('producer.open', () => new MemoryProducer(this.#broker, this.#gate))
  }

  transactionalProducer(id: string): Promise<TransactionalProducer> {
    return this.#gate.pass('transaction.open', () => {
      const identity = { id, epoch: this.#broker.openProducer(id) }
      return new MemoryTransactionalProducer(this.#broker, this.#gate, identity)
    })
  }

  fetcher(): Promise<Fetcher> {
    return this.#gate.pass('fetch.open', () => new MemoryFetcher(this.#broker, this.#gate))
  }

  coordinator(): Promise<Coordinator> {
    return this.#gate.pass('group.open', () => new MemoryCoordinator(this.#broker, this.#gate))
  }

  /** Closes the connection; the log stays. What waits is answered, what comes after is refused. */
  async close(): Promise<void> {
    this.#gate.close()
  }

  /** As kill -9 would: nothing under way takes hold any more, and nothing is answered. */
  crash(): void {
    this.#gate.crash()
  }
}
