// The open connections of a cluster: one for each broker and purpose, opened when first needed.

import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import { Link } from './link.ts'
import type { BrokerAddress } from './metadata.ts'
import { KafkaFailure, local } from './protocol-failure.ts'
import type { Security } from './security.ts'

/** Each has its own socket per broker: a long fetch must not hold up a commit. */
export type Purpose = 'control' | `fetch-${number}` | 'produce' | 'group' | 'transaction'

export interface LinkSettings {
  readonly clientId: string
  readonly security: Security
  readonly clock: Clock
}

interface Slot {
  readonly address: BrokerAddress
  readonly opening: Promise<Link>
  link: Link | undefined
}

interface Refusal {
  readonly at: number
  readonly count: number
}

const backOffMsMax = 1_000

export class BrokerLinks {
  readonly #settings: LinkSettings
  readonly #slots: Map<string, Slot> = new Map()
  readonly #refusals: Map<number, Refusal> = new Map()
  #isClosed = false

  constructor(settings: LinkSettings) {
    this.#settings = settings
  }

  /** An open link of this purpose to any broker. */
  openOne(purpose: Purpose): Link | undefined {
    for (const [key, { link }] of this.#slots) {
      if (link?.isOpen === true && key.endsWith(`/${purpose}`)) return link
    }
    return undefined
  }

  /** Opens it when there is none; a broker that refused lately is asked again a little later. */
  async to(broker: number, address: BrokerAddress, purpose: Purpose): Promise<Link> {
    this.#throwIfClosed()
    const key = `${broker}/${purpose}`
    const slot = this.#slots.get(key)
    if (slot !== undefined && isUsable(slot, address)) return slot.opening
    slot?.link?.leave()
    const fresh: Slot = { address, opening: this.#open(broker, address), link: undefined }
    this.#slots.set(key, fresh)
    try {
      fresh.link = await fresh.opening
      return fresh.link
    } catch (error) {
      if (this.#slots.get(key) === fresh) this.#slots.delete(key)
      throw error
    }
  }

  /** A connection that belongs to the caller, to a broker whose id is not known yet. */
  async bootstrap(address: BrokerAddress): Promise<Link> {
    this.#throwIfClosed()
    return Link.open({ broker: -1, ...address, ...this.#settings })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const slots = [...this.#slots.values()]
    this.#slots.clear()
    for (const { link } of slots) link?.close()
    await Promise.allSettled(slots.map(async ({ opening }) => (await opening).close()))
  }

  async #open(broker: number, address: BrokerAddress): Promise<Link> {
    const { clock } = this.#settings
    const before = this.#refusals.get(broker)
    if (before !== undefined) {
      const waitMs = Math.min(backOffMsMax, 50 * 2 ** before.count)
      await pause(clock, Math.max(0, before.at + waitMs - clock.monotonic()))
      this.#throwIfClosed()
    }
    try {
      const link = await Link.open({ broker, ...address, ...this.#settings })
      this.#refusals.delete(broker)
      if (!this.#isClosed) return link
      link.close()
    } catch (error) {
      this.#refusals.set(broker, { at: clock.monotonic(), count: (before?.count ?? 0) + 1 })
      throw error
    }
    throw new KafkaFailure(local.closed, 'the connection to Kafka')
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new KafkaFailure(local.closed, 'the connection to Kafka')
  }
}

function isUsable({ link, address }: Slot, wanted: BrokerAddress): boolean {
  const isSame = address.host === wanted.host && address.port === wanted.port
  return isSame && (link === undefined || link.isOpen)
}
