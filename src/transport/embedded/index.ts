// The embedded log as a transport: processes of one machine share it through a directory.

import { resolve } from 'node:path'
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
import { realClock } from '../../runtime/real-clock.ts'
import { EmbeddedAdmin } from './admin.ts'
import { closedError } from './database.ts'
import { openCoordinator } from './groups.ts'
import type { Log } from './log.ts'
import { closeLog, openLog } from './log.ts'
import { Maintenance } from './maintain.ts'
import { EmbeddedProducer } from './producer.ts'
import { EmbeddedFetcher } from './reader.ts'
import { openTransactional } from './transaction.ts'
import { transactionBytesMax } from './writer.ts'

/** Where an embedded log lies, and what it survives. */
export interface EmbeddedOptions {
  /** On a local disk; made when it does not exist, for its owner only. */
  readonly directory: string
  /** @default the clock of this machine */
  readonly clock?: Clock
  /**
   * What a commit survives: `normal` a kill of any process, `full` a power cut as well, at the
   * price of a disk sync in each commit. @default 'normal'
   */
  readonly synchronous?: 'normal' | 'full'
  /** False where another connection of this process does the log's own work. @default true */
  readonly isMaintained?: boolean
  /**
   * Told when the log's own work fails: retention, compaction, bringing bytes to the disk. It is
   * tried again; a failure that stays is told once.
   */
  readonly onMaintenanceError?: (error: unknown) => void
}

const features: TransportFeatures = {
  isDurable: true,
  isShared: true,
  transactionBytesMax,
  sessionTimeoutMs: 3_000,
  heartbeatMs: 200
}

/**
 * A connection to the log in a directory, not yet open; what `broker: 'embedded:…'` makes. Any
 * number of processes of one machine may have one.
 *
 * @throws at `open`: TAILRACE_STATE_NETWORK_DISK, TAILRACE_STATE_UNWRITABLE, TAILRACE_STATE_FULL,
 *   TAILRACE_STATE_FOREIGN for another program's or a newer format,
 *   TAILRACE_TRANSPORT_SQLITE_VERSION
 */
export function createEmbeddedTransport(options: EmbeddedOptions): Transport {
  return new EmbeddedTransport(options)
}

interface Parts {
  readonly log: Log
  readonly maintenance: Maintenance
}

class EmbeddedTransport implements Transport {
  readonly name: string = 'embedded'
  readonly url: string
  readonly features: TransportFeatures = features
  readonly door: ThreadDoor
  readonly #options: Required<EmbeddedOptions>
  #opening: Promise<void> | undefined
  #parts: Parts | undefined

  constructor(options: EmbeddedOptions) {
    const { directory, clock = realClock, synchronous = 'normal' } = options
    const { isMaintained = true, onMaintenanceError = () => undefined } = options
    this.#options = { directory, clock, synchronous, isMaintained, onMaintenanceError }
    this.url = `embedded:${directory}`
    // The packed package holds JavaScript, the repository TypeScript: whichever this file is.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.door = {
      module: new URL(`./thread-door.${extension}`, import.meta.url).href,
      argument: JSON.stringify({ directory: resolve(directory), synchronous })
    }
  }

  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<void> {
    try {
      const log = await openLog(this.#options)
      const maintenance = new Maintenance(log, this.#options.onMaintenanceError)
      if (this.#options.isMaintained) maintenance.start()
      this.#parts = { log, maintenance }
    } catch (error) {
      // What stood in the way may be mended: the next call tries again.
      this.#opening = undefined
      throw error
    }
  }

  admin(): Admin {
    const { log, maintenance } = this.#opened()
    return new EmbeddedAdmin(log, () => maintenance.runNow())
  }

  async producer(): Promise<Producer> {
    return new EmbeddedProducer(this.#opened().log)
  }

  async transactionalProducer(id: string): Promise<TransactionalProducer> {
    return openTransactional(this.#opened().log, id)
  }

  async fetcher(): Promise<Fetcher> {
    return new EmbeddedFetcher(this.#opened().log)
  }

  async coordinator(): Promise<Coordinator> {
    return openCoordinator(this.#opened().log)
  }

  async close(): Promise<void> {
    // Closed while it opens: there is something to let go of only afterwards.
    await this.#opening?.catch(() => {})
    const parts = this.#parts
    if (parts === undefined) return
    this.#parts = undefined
    await parts.maintenance.stop()
    await closeLog(parts.log)
  }

  #opened(): Parts {
    if (this.#parts === undefined) throw closedError(this.#options.directory)
    return this.#parts
  }
}
