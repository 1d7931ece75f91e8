// Topics and their partition ids, kept in memory; read again when another process changed them.

import { TailraceError } from '../../core/errors.ts'
import type { TopicDescription, TopicPartition, TopicSettings } from '../../port/transport.ts'
import type { Database } from './database.ts'
import { integer, text } from './database.ts'

export interface Topic extends TopicDescription {
  /** Id of each partition in the log, by number. */
  readonly partitionIds: readonly number[]
  readonly segmentBytes: number
}

/** Compacted topics seal sooner: what is in the active segment is not compacted. */
const segmentBytesDefault = { delete: 64 * 1024 * 1024, compact: 16 * 1024 * 1024 } as const

export class Catalog {
  readonly #database: Database
  #topics: ReadonlyMap<string, Topic> = new Map()
  #names: ReadonlyMap<number, TopicPartition> = new Map()
  #seenVersion = -1
  #topicsVersion = -1

  constructor(database: Database) {
    this.#database = database
  }

  /** Reads the topics again if they may have changed. Cheap when nothing did. */
  refresh(): void {
    const version = this.#database.version()
    if (version === this.#seenVersion) return
    const row = this.#database.get(`SELECT value FROM meta WHERE key = 'topics'`)
    const topicsVersion = row === undefined ? 0 : integer(row, 'value')
    if (topicsVersion !== this.#topicsVersion) this.#load()
    this.#topicsVersion = topicsVersion
    this.#seenVersion = version
  }

  /** Differs when topics were made or deleted in between. */
  get version(): number {
    return this.#topicsVersion
  }

  all(): Iterable<Topic> {
    return this.#topics.values()
  }

  /** As last read: another process may have made or deleted it since. */
  topic(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** @throws TAILRACE_TRANSPORT_UNKNOWN_TOPIC */
  partitionId(at: TopicPartition): number {
    const id = this.#topics.get(at.topic)?.partitionIds[at.partition]
    if (id === undefined) throw unknownPartition(at, this.#topics.get(at.topic))
    return id
  }

  /** Which partition an id stands for; undefined once its topic was deleted. */
  partition(id: number): TopicPartition | undefined {
    return this.#names.get(id)
  }

  /** To be called in the transaction that makes or deletes topics. */
  markChanged(): void {
    this.#database.run(
      `INSERT INTO meta VALUES ('topics', 1) ON CONFLICT DO UPDATE SET value = value + 1`
    )
  }

  #load(): void {
    const ids = new Map<string, number[]>()
    const names = new Map<number, TopicPartition>()
    const partitions = 'SELECT id, topic, number FROM partition ORDER BY topic, number'
    for (const row of this.#database.all(partitions)) {
      const topic = text(row, 'topic')
      const list = ids.get(topic) ?? []
      if (list.length === 0) ids.set(topic, list)
      names.set(integer(row, 'id'), { topic, partition: list.length })
      list.push(integer(row, 'id'))
    }
    const topics = new Map<string, Topic>()
    for (const row of this.#database.all('SELECT name, id, replication, settings FROM topic')) {
      const name = text(row, 'name')
      const settings: TopicSettings = JSON.parse(text(row, 'settings'))
      const partitionIds = ids.get(name) ?? []
      topics.set(name, {
        name,
        id: text(row, 'id'),
        replication: integer(row, 'replication'),
        partitions: partitionIds.length,
        partitionIds,
        settings,
        segmentBytes: segmentBytesOf(settings)
      })
    }
    this.#topics = topics
    this.#names = names
  }
}

/** A number in the further settings of a topic, by Kafka's name for it. */
export function extraNumber(settings: TopicSettings, name: string): number | undefined {
  const value = settings.extra[name]
  const number = value === undefined ? Number.NaN : Number(value)
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

export function isCompacted(settings: TopicSettings): boolean {
  return settings.cleanupPolicy !== 'delete'
}

function segmentBytesOf(settings: TopicSettings): number {
  const asked = extraNumber(settings, 'segment.bytes')
  if (asked !== undefined) return Math.max(asked, 1)
  return isCompacted(settings) ? segmentBytesDefault.compact : segmentBytesDefault.delete
}

/** For work on its way to a topic that was deleted since, be it made anew or not. */
export function deletedError(at: TopicPartition): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_UNKNOWN_TOPIC',
    `topic ${JSON.stringify(at.topic)} was deleted while records were on their way to it`,
    { isDefinite: true, context: { topic: at.topic, partition: at.partition } }
  )
}

function unknownPartition(at: TopicPartition, topic: Topic | undefined): TailraceError {
  const has =
    topic === undefined ? 'there is no such topic' : `it has ${topic.partitions} partitions`
  return new TailraceError(
    'TAILRACE_TRANSPORT_UNKNOWN_TOPIC',
    `partition ${at.partition} of topic ${JSON.stringify(at.topic)} does not exist: ${has}`,
    { isDefinite: true, context: { topic: at.topic, partition: at.partition } }
  )
}

/** The error for a position outside what a partition holds. */
export function outOfRangeError(
  { topic, partition }: TopicPartition,
  {
    offset,
    start,
    next
  }: { readonly offset: number; readonly start: number; readonly next: number }
): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_OUT_OF_RANGE',
    `offset ${offset} of ${topic}/${partition} is outside of what it holds, ${start} to ${next}`,
    { isDefinite: true, context: { topic, partition, offset } }
  )
}
