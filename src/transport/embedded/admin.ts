// Topics, ranges, times and committed offsets: what the log answers about itself.

import { randomUUID } from 'node:crypto'
import { BatchCursor } from '../../core/batch-cursor.ts'
import { brokenInvariant } from '../../core/errors.ts'
import { headerAt, readInt64 } from '../../core/record-batch.ts'
import type {
  Admin,
  CommittedOffset,
  PartitionRange,
  TopicDescription,
  TopicPartition,
  TopicSpec
} from '../../port/transport.ts'
import { batchSize, batchStarts, readBatches } from './batches.ts'
import type { Topic } from './catalog.ts'
import { integer, text } from './database.ts'
import { failureOf, isMissing } from './failure.ts'
import { partitionState } from './locate.ts'
import type { Log } from './log.ts'
import { deleteRecords } from './retention.ts'
import type { SegmentId } from './segments.ts'

/** Segments that compaction may take away while they are looked through; more are lost. */
const lookUpsMax = 100

/** What the log does in its own time, and at once when asked. */
export type Maintain = () => Promise<void>

export class EmbeddedAdmin implements Admin {
  readonly #log: Log
  readonly #maintain: Maintain

  constructor(log: Log, maintain: Maintain) {
    this.#log = log
    this.#maintain = maintain
  }

  async describe(names?: readonly string[]): Promise<readonly TopicDescription[]> {
    const { catalog, database } = this.#log
    return database.attempt(() => {
      catalog.refresh()
      const wanted = names === undefined ? undefined : new Set(names)
      const all = [...catalog.all()].filter(({ name }) => wanted?.has(name) ?? true)
      return all.map(descriptionOf)
    })
  }

  async create(topics: readonly TopicSpec[]): Promise<readonly TopicDescription[]> {
    for (const { name, partitions } of topics) {
      const isCount = Number.isSafeInteger(partitions) && partitions > 0
      if (!isCount) {
        throw brokenInvariant(`topic ${name} was to be created with ${partitions} partitions`)
      }
    }
    const { catalog, database, wakeup } = this.#log
    const isNew = await database.transaction(() => {
      const made = topics.map((spec) => this.#createOne(spec))
      const hasNew = made.includes(true)
      if (hasNew) catalog.markChanged()
      return hasNew
    })
    if (isNew) wakeup.nudge()
    return this.describe(topics.map(({ name }) => name))
  }

  async delete(names: readonly string[]): Promise<void> {
    const { database, segments, wakeup } = this.#log
    const all = (): readonly SegmentId[] => names.flatMap((name) => this.#deleteOne(name))
    const removed = await database.transaction(all, { isDurable: true })
    // After the commit: a crash in between leaves files without rows, which the next open sweeps.
    for (const segment of removed) segments.remove(segment)
    wakeup.nudge()
  }

  async ranges(partitions: readonly TopicPartition[]): Promise<readonly PartitionRange[]> {
    const { catalog, database, leaderEpoch } = this.#log
    return database.attempt(() => {
      catalog.refresh()
      return partitions.map(({ topic, partition }) => {
        const id = catalog.partitionId({ topic, partition })
        const state = partitionState(database, id)
        const { start, next } = state ?? { start: 0, next: 0 }
        return { topic, partition, start, end: next, leaderEpoch }
      })
    })
  }

  async offsetAt(partition: TopicPartition, timestamp: number): Promise<number> {
    const { clock, paths } = this.#log
    for (let lookUp = 1; ; lookUp++) {
      try {
        return await this.#offsetAt(partition, timestamp)
      } catch (error) {
        // Compacted or deleted while it was read: what is there now has the answer.
        const isMoving = isMissing(error) && lookUp < lookUpsMax
        if (!isMoving) {
          throw failureOf(error, { verb: 'read', directory: paths.directory, isDefinite: true })
        }
        await clock.turn()
      }
    }
  }

  async committed(
    group: string,
    partitions: readonly TopicPartition[]
  ): Promise<readonly CommittedOffset[]> {
    const { catalog, database } = this.#log
    const select = 'SELECT offset, metadata FROM committed WHERE "group" = ? AND partition = ?'
    return database.attempt(() => {
      catalog.refresh()
      return partitions.flatMap(({ topic, partition }) => {
        const id = catalog.topic(topic)?.partitionIds[partition]
        const row = id === undefined ? undefined : database.get(select, group, id)
        if (row === undefined) return []
        const offset = integer(row, 'offset')
        return [{ topic, partition, offset, metadata: text(row, 'metadata') }]
      })
    })
  }

  async deleteRecords(partition: TopicPartition, before: number): Promise<void> {
    await deleteRecords(this.#log, partition, before)
  }

  async maintain(): Promise<void> {
    await this.#maintain()
  }

  /** True when it was missing. */
  #createOne({ name, partitions, replication, settings }: TopicSpec): boolean {
    const { database } = this.#log
    const insert = 'INSERT INTO topic VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'
    const isNew = database.run(insert, name, randomUUID(), replication, JSON.stringify(settings))
    if (isNew === 0) return false
    for (let number = 0; number < partitions; number++) {
      const row = database.get(
        'INSERT INTO partition(topic, number) VALUES (?, ?) RETURNING id',
        name,
        number
      )
      const id = integer(row, 'id')
      database.run('INSERT INTO segment(partition, base, generation) VALUES (?, 0, 0)', id)
    }
    return true
  }

  /** The files that are then nobody's. */
  #deleteOne(name: string): readonly SegmentId[] {
    const { catalog, database } = this.#log
    if (database.run('DELETE FROM topic WHERE name = ?', name) === 0) return []
    const files = database.all(
      `SELECT s.partition, s.base, s.generation FROM segment s
       JOIN partition p ON p.id = s.partition WHERE p.topic = ?`,
      name
    )
    for (const table of ['segment', 'sparse', 'committed']) {
      database.run(
        `DELETE FROM ${table}
         WHERE partition IN (SELECT id FROM partition WHERE topic = ?)`,
        name
      )
    }
    database.run('DELETE FROM partition WHERE topic = ?', name)
    catalog.markChanged()
    return files.map((row) => ({
      partition: integer(row, 'partition'),
      base: integer(row, 'base'),
      generation: integer(row, 'generation')
    }))
  }

  async #offsetAt(partition: TopicPartition, timestamp: number): Promise<number> {
    const { catalog, clock, database } = this.#log
    const { state, candidates } = await database.attempt(() => {
      catalog.refresh()
      const id = catalog.partitionId(partition)
      return {
        state: partitionState(database, id) ?? { start: 0, next: 0 },
        candidates: this.#segmentsWith(id, timestamp)
      }
    })
    for (const range of candidates) {
      for (const { bytes } of readBatches(this.#log.segments, range)) {
        const found = firstAtOrAfter(bytes, { timestamp, start: state.start })
        if (found !== undefined) return found
        await clock.turn()
      }
    }
    return state.next
  }

  /** Segments, oldest first, that may hold a record of that time or later. */
  #segmentsWith(
    partition: number,
    timestamp: number
  ): readonly { readonly segment: SegmentId; readonly from: number; readonly to: number }[] {
    const rows = this.#log.database.all(
      `SELECT s.base, s.generation,
         CASE WHEN s.next IS NULL THEN p.position ELSE s.bytes END AS bytes
       FROM segment s JOIN partition p ON p.id = s.partition
       WHERE s.partition = ? AND ? <=
         CASE WHEN s.next IS NULL THEN p.timestamp_max ELSE s.timestamp_max END
       ORDER BY s.base`,
      partition,
      timestamp
    )
    return rows.map((row) => ({
      segment: { partition, base: integer(row, 'base'), generation: integer(row, 'generation') },
      from: 0,
      to: integer(row, 'bytes')
    }))
  }
}

function firstAtOrAfter(
  bytes: Buffer,
  { timestamp, start }: { readonly timestamp: number; readonly start: number }
): number | undefined {
  const cursor = new BatchCursor()
  for (const at of batchStarts(bytes)) {
    if (readInt64(bytes, at + headerAt.maxTimestamp) < timestamp) continue
    cursor.reset(bytes.subarray(at, at + batchSize(bytes, at)), start)
    while (cursor.next()) if (cursor.timestamp >= timestamp) return cursor.offset
  }
  return undefined
}

function descriptionOf({ name, id, partitions, replication, settings }: Topic): TopicDescription {
  return { name, id, partitions, replication, settings }
}
