// Finds out what a reading needs before it can go on: who leads, and where the log begins and ends.

import type { Clock } from '../../port/clock.ts'
import type { Cluster } from './cluster.ts'
import type { Reading } from './fetch-reading.ts'
import { placeOf } from './fetch-reading.ts'
import { listOffsetsV7 } from './library.ts'
import type { PartitionLeader } from './metadata.ts'
import { KafkaFailure, kafka, throwIf } from './protocol-failure.ts'

export interface ScoutParts {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly isReadCommitted: boolean
  /** A reading may have something to say, or can be asked for. */
  readonly onNews: (reading: Reading) => void
}

const timestamps = { earliest: -2n, latest: -1n } as const

export class FetchScout {
  readonly #parts: ScoutParts
  /** Topics whose leaders are being asked for. */
  readonly #asked = new Set<string>()

  constructor(parts: ScoutParts) {
    this.#parts = parts
  }

  /** The leader, if it is known; else it is being looked for. */
  leader(reading: Reading): PartitionLeader | undefined {
    const known = this.#parts.cluster.known(reading)
    if (known === undefined) {
      this.#findLeader(reading)
      return undefined
    }
    if (reading.follow(known)) return known
    this.range(reading)
    return undefined
  }

  /** One question for all partitions of a topic: its answer is theirs as well. */
  #findLeader(reading: Reading): void {
    const { topic } = reading
    if (this.#asked.has(topic)) return
    this.#asked.add(topic)
    this.#search(reading, async () => {
      try {
        await this.#parts.cluster.leader(reading)
      } finally {
        this.#asked.delete(topic)
      }
    })
  }

  /** Says that the position is out of range, when it is known what the range is. */
  range(reading: Reading): void {
    const { version } = reading
    this.#search(reading, async () => {
      const range = await this.#askRange(reading)
      if (reading.version === version) reading.sayOutOfRange(range)
    })
  }

  #search(reading: Reading, search: () => Promise<void>): void {
    const { version } = reading
    reading.isSearching = true
    const { clock, cluster, onNews } = this.#parts
    const run = async (): Promise<void> => {
      try {
        await search()
      } catch (error) {
        if (reading.version !== version) return
        reading.trouble.failed(error, clock.monotonic())
        if (error instanceof KafkaFailure && error.isRetriable) cluster.outdated([reading.topic])
      } finally {
        if (reading.version === version) reading.isSearching = false
        onNews(reading)
      }
    }
    void run()
  }

  async #askRange(reading: Reading): Promise<{ start: number; end: number }> {
    const { cluster } = this.#parts
    const leader = await cluster.leader(reading)
    const link = await cluster.link(leader.broker, 'control')
    const [start, end] = await Promise.all(
      [timestamps.earliest, timestamps.latest].map(async (timestamp) => {
        const partition = { partitionIndex: reading.partition, currentLeaderEpoch: -1, timestamp }
        const topic = { name: reading.topic, partitions: [partition] }
        const isolation = this.#parts.isReadCommitted ? 1 : 0
        const { topics } = await link.call(listOffsetsV7.api, -1, isolation, [topic])
        const found = topics[0]?.partitions[0]
        throwIf(found?.errorCode ?? kafka.unknownTopicOrPartition, placeOf(reading))
        return Number(found?.offset ?? 0n)
      })
    )
    reading.follow(leader)
    return { start: start ?? 0, end: end ?? 0 }
  }
}
