// Sends single records, in order within each partition.

import { BatchEncoder } from '../../core/record-batch.ts'
import type { Delivery, OutgoingRecord, Producer } from '../../port/transport.ts'
import type { MemoryBroker } from './broker.ts'
import type { Gate } from './gate.ts'

export class MemoryProducer implements Producer {
  readonly #broker: MemoryBroker
  readonly #gate: Gate
  readonly #encoder = new BatchEncoder()
  /** The last send of each partition, settled or not: the next one follows it. */
  readonly #last = new Map<string, Promise<unknown>>()
  readonly #underWay = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(broker: MemoryBroker, gate: Gate) {
    this.#broker = broker
    this.#gate = gate
  }

  async send(record: OutgoingRecord): Promise<Delivery> {
    const { topic, partition, timestamp } = record
    this.#encoder.append(record.key, record.value, timestamp, record.headers)
    const batch = this.#encoder.finish()
    const append = async (): Promise<Delivery> => {
      if (this.#isClosed) this.#gate.refuse('producer.send')
      return this.#gate.pass('producer.send', () => {
        const [offset, stamp] = this.#broker.append({ topic, partition }, batch, timestamp)
        return { topic, partition, offset, timestamp: stamp }
      })
    }
    const name = `${topic}/${partition}`
    const before = this.#last.get(name)
    const sent = before === undefined ? append() : before.then(append, append)
    this.#last.set(name, sent)
    this.#underWay.add(sent)
    const forget = (): void => {
      this.#underWay.delete(sent)
      if (this.#last.get(name) === sent) this.#last.delete(name)
    }
    sent.then(forget, forget)
    return sent
  }

  async flush(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  async close(): Promise<void> {
    await this.flush()
    this.#isClosed = true
  }
}
