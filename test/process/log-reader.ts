// Reads a log as a stranger would: from offset 0, through the transport's own fetcher.
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import type { PartitionRange, TopicPartition, Transport } from '../../src/port/transport.ts'
import { enveloped, windowBytes, windowStartOf } from '../../src/runtime/changelog.ts'
import { type Tables, tablesOf } from './ledger.ts'
import type { SceneLog } from './logs.ts'
import { type Page, partitions, type Seen, type User } from './visits.ts'

export interface LogRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

type Read = Pick<SceneLog, 'names' | 'transport'>

export async function readSeen({ names, transport }: Read): Promise<Seen[]> {
  const records = await readTopic(transport, names.seen)
  return records.map(({ value }) => JSON.parse(String(value)) as Seen)
}

/** The tables that the changelogs come to. */
export async function readChangelogs({ names, transport }: Read): Promise<Tables> {
  const fold = async <V>(table: string, name: (key: Buffer) => string): Promise<Map<string, V>> => {
    const rows = new Map<string, V>()
    for (const { key, value } of await readTopic(transport, names.changelog(table))) {
      if (key === null) throw new Error(`a record without a key in the changelog of ${table}`)
      if (value === null) rows.delete(name(key))
      else rows.set(name(key), JSON.parse(String(enveloped(value, table))) as V)
    }
    return rows
  }
  return tablesOf({
    users: await fold<User>('users', String),
    pages: await fold<Page>('pages', String),
    views: await fold<number>(
      'views',
      (key) => `${String(key.subarray(windowBytes))}@${windowStartOf(key)}`
    )
  })
}

export async function rangesOf(
  transport: Transport,
  topic: string
): Promise<readonly PartitionRange[]> {
  return transport.admin().ranges(partitionsOf(topic))
}

/** True when the group has committed every record of the topic. */
export async function isCommitted(
  transport: Transport,
  { group, topic }: { readonly group: string; readonly topic: string }
): Promise<boolean> {
  const [known] = await transport.admin().describe([topic])
  if (known === undefined) return false
  const ranges = await rangesOf(transport, topic)
  const committed = await transport.admin().committed(group, partitionsOf(topic))
  const offsets = new Map(committed.map((one) => [one.partition, one.offset]))
  const left = ranges
    .map((range) => ({ ...range, start: offsets.get(range.partition) ?? range.start }))
    .filter(({ end, start }) => start < end)
  // On Kafka the end of a transaction has an offset too, and nobody commits that.
  for await (const _ of recordsOf(transport, left)) return false
  return true
}

export function partitionsOf(topic: string): readonly TopicPartition[] {
  return Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
}

/** All that is readable now. */
export async function readTopic(transport: Transport, topic: string): Promise<LogRecord[]> {
  return await Array.fromAsync(recordsOf(transport, await rangesOf(transport, topic)))
}

async function* recordsOf(
  transport: Transport,
  ranges: readonly PartitionRange[]
): AsyncGenerator<LogRecord> {
  const waiting = new Map(ranges.filter((one) => one.end > one.start).map((r) => [r.partition, r]))
  if (waiting.size === 0) return
  const positions = new Map(ranges.map(({ partition, start }) => [partition, start]))
  const fetcher = await transport.fetcher()
  try {
    fetcher.add(
      [...waiting.values()].map(({ partition, start, topic }) => {
        return { topic, partition, offset: start }
      })
    )
    const cursor = new BatchCursor()
    while (waiting.size > 0) {
      for (const chunk of await fetcher.fetch({ bytesMax: 1 << 20, waitMaxMs: 100 })) {
        cursor.reset(chunk.bytes, positions.get(chunk.partition) ?? 0)
        positions.set(chunk.partition, chunk.nextOffset)
        while (cursor.next()) yield copyOf(cursor, chunk.partition)
        if (chunk.nextOffset >= (waiting.get(chunk.partition)?.end ?? 0)) {
          waiting.delete(chunk.partition)
        }
      }
    }
  } finally {
    await fetcher.close()
  }
}

// The cursor's views are into a buffer that the next fetch may use again.
function copyOf(cursor: BatchCursor, partition: number): LogRecord {
  const copy = (view: Buffer | null): Buffer | null => (view === null ? null : Buffer.from(view))
  return { partition, offset: cursor.offset, key: copy(cursor.key()), value: copy(cursor.value()) }
}
