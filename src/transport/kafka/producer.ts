// The plain producer: idempotent, for timers and for what a program sends outside of events.

import { TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import type { Delivery, OutgoingRecord, Producer } from '../../port/transport.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import type { ProduceCluster } from './produce-cluster.ts'
import { patiently } from './produce-patience.ts'
import { type ProduceLimits, ProduceSender, produceLimits } from './produce-sender.ts'
import { throwIf, toTailraceError } from './protocol-failure.ts'
import { decodeIdentity, encodeInitProducerId, nobody, requests } from './transaction-codec.ts'

/** Of the Produce request where no transaction is concerned. */
export const plainVersion = 11

/** Bytes that may wait to be sent. Whoever sends without ever waiting learns of it here. */
const waitingBytesMax = 256 * 1024 * 1024

export interface ProducerParts {
  readonly cluster: ProduceCluster
  readonly clock: Clock
  readonly limits?: Partial<ProduceLimits>
}

/** @throws TAILRACE_TRANSPORT_* when no broker gives it an identity */
export async function openProducer(parts: ProducerParts): Promise<KafkaProducer> {
  try {
    return new KafkaProducer(parts, await newIdentity(parts))
  } catch (error) {
    throw toTailraceError(error, 'no producer could be opened', { isDefinite: true })
  }
}

const openingTimeoutMs = 30_000

/** An identity by which brokers tell repeated batches from new ones. */
export function newIdentity({ clock, cluster }: ProducerParts): Promise<ProducerIdentity> {
  const { key, version } = requests.initProducerId
  const request = { transactionalId: null, transactionTimeoutMs: 0, identity: nobody }
  return patiently({ clock, timeoutMs: openingTimeoutMs }, async () => {
    const link = await cluster.any('produce')
    const answer = await link.request(key, version, [encodeInitProducerId(request)])
    const { code, identity } = decodeIdentity(answer)
    throwIf(code, 'asking for a producer id')
    return identity
  })
}

export class KafkaProducer implements Producer {
  readonly #sender: ProduceSender
  #isClosed = false

  constructor(parts: ProducerParts, identity: ProducerIdentity) {
    const { clock, cluster } = parts
    this.#sender = new ProduceSender({
      cluster,
      clock,
      limits: { ...produceLimits, ...parts.limits },
      identity,
      version: plainVersion,
      transactionalId: null,
      renew: () => newIdentity(parts)
    })
  }

  send(record: OutgoingRecord): Promise<Delivery> {
    try {
      this.#checkRoom()
      const { timestamp } = record
      const { batch, index } = this.#sender.append(record)
      return batch.placed().then((place) => place.deliveryOf(index, timestamp))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  flush(): Promise<void> {
    return this.#sender.flush()
  }

  /** What was sent is seen through first. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.flush()
    this.#sender.close(closedError())
  }

  #checkRoom(): void {
    if (this.#isClosed) throw closedError()
    if (this.#sender.pendingBytes < waitingBytesMax) return
    throw new TailraceError(
      'TAILRACE_TRANSPORT_UNAVAILABLE',
      `${waitingBytesMax / 1024 / 1024} MiB of records wait to be written to the log`,
      { isDefinite: true, hint: 'Await some sends before sending more.' }
    )
  }
}

export function closedError(): TailraceError {
  return new TailraceError('TAILRACE_TRANSPORT_CLOSED', 'the producer is closed', {
    isDefinite: true
  })
}
