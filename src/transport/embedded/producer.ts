// The plain producer: sends of one event-loop turn become one batch per partition, one commit.

import { TailraceError } from '../../core/errors.ts'
import type { Delivery, OutgoingRecord, Producer } from '../../port/transport.ts'
import { closedError } from './database.ts'
import type { Log } from './log.ts'
import { PartitionSends } from './partition-sends.ts'

/** Bytes that may wait to be written. Whoever sends without ever waiting learns of it here. */
export const waitingBytesMax: number = 256 * 1024 * 1024

export class EmbeddedProducer implements Producer {
  readonly #log: Log
  readonly #partitions = new Map<string, (PartitionSends | undefined)[]>()
  /** The last send of each partition: its earlier ones are settled before it. */
  readonly #last = new Map<PartitionSends, Promise<Delivery>>()
  #waitingBytes = 0
  #isOpen = true

  constructor(log: Log) {
    this.#log = log
    log.users.add(this)
  }

  send(record: OutgoingRecord): Promise<Delivery> {
    const { promise, resolve, reject } = Promise.withResolvers<Delivery>()
    try {
      this.#checkRoom()
      const partition = this.#partition(record)
      this.#waitingBytes += partition.append(record, { resolve, reject })
      this.#last.set(partition, promise)
    } catch (error) {
      reject(error)
    }
    return promise
  }

  async flush(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#log.users.delete(this)
    await this.flush()
  }

  #checkRoom(): void {
    if (!this.#isOpen) throw closedError(this.#log.paths.directory)
    if (this.#waitingBytes < waitingBytesMax) return
    throw new TailraceError(
      'TAILRACE_TRANSPORT_UNAVAILABLE',
      `${waitingBytesMax / 1024 / 1024} MiB of records wait to be written to the log`,
      { isDefinite: true, hint: 'Await some sends before sending more.' }
    )
  }

  #partition(record: OutgoingRecord): PartitionSends {
    const known = this.#partitions.get(record.topic)?.[record.partition]
    if (known !== undefined) return known
    const { catalog } = this.#log
    if (catalog.topic(record.topic)?.partitionIds[record.partition] === undefined) catalog.refresh()
    const id = catalog.partitionId(record)
    const made = new PartitionSends(this.#log, {
      topic: record.topic,
      partition: record.partition,
      id,
      hasAppendTime: catalog.topic(record.topic)?.settings.timestampType === 'append',
      settled: (bytes) => {
        this.#waitingBytes -= bytes
      },
      lost: () => this.#forget(record.topic)
    })
    const ofTopic = this.#partitions.get(record.topic) ?? []
    ofTopic[record.partition] = made
    this.#partitions.set(record.topic, ofTopic)
    return made
  }

  /** The topic was deleted: should it be made again, its partitions have other ids. */
  #forget(topic: string): void {
    this.#partitions.delete(topic)
  }
}
