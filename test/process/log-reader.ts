// Reads a log as a stranger would: from offset 0, through the transport's own fetcher.
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import type { PartitionRange, TopicPartition, Transport } from '../../src/port/transport.ts'
import { enveloped, windowBytes, windowStartOf } from '../../src/runtime/changelog.ts'
import { type Tables, tablesOf } from './ledger.ts'
import { appId, type Page, partitions, type Seen, type User } from './visits.ts'

interface LogRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export async function readSeen(transport: Transport): Promise<Seen[]> {
  const records = await readTopic(transport, 'seen')
  return records.map(({ value }) => JSON.parse(String(value)) as Seen)
}

/** The tables that the changelogs come to. */
export async function readChangelogs(transport: Transport): Promise<Tables> {
  const fold = async <V>(table: string, name: (key: Buffer) => string): Promise<Map<string, V>> => {
    const rows = new Map<string, V>()
    for (const { key, value } of await readTopic(transport, `${appId}-${table}-changelog`)) {
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
export async function isCommitted(transport: Transport, topic: string): Promise<boolean> {
  const [known] = await transport.admin().describe([topic])
  if (known === undefined) return false
  const ranges = await rangesOf(transport, topic)
  const committed = await transport.admin().committed(appId, partitionsOf(topic))
  const offsets = new Map(committed.map((one) => [one.partition, one.offset]))
  return ranges.every(({ partition, end }) => end === 0 || offsets.get(partition) === end)
}

export function partitionsOf(topic: string): readonly TopicPartition[] {
  return Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
}

async function readTopic(transport: Transport, topic: string): Promise<LogRecord[]> {
  const ranges = await rangesOf(transport, topic)
  const waiting = new Map(ranges.filter((one) => one.end > one.start).map((r) => [r.partition, r]))
  const positions = new Map(ranges.map(({ partition, start }) => [partition, start]))
  const fetcher = await transport.fetcher()
  const records: LogRecord[] = []
  fetcher.add(
    [...waiting.values()].map((r) => ({ topic, partition: r.partition, offset: r.start }))
  )
  const cursor = new BatchCursor()
  while (waiting.size > 0) {
    for (const chunk of await fetcher.fetch({ bytesMax: 1 << 20, waitMaxMs: 100 })) {
      cursor.reset(chunk.bytes, positions.get(chunk.partition) ?? 0)
      positions.set(chunk.partition, chunk.nextOffset)
      while (cursor.next()) records.push(copyOf(cursor))
      if (chunk.nextOffset >= (waiting.get(chunk.partition)?.end ?? 0)) {
        waiting.delete(chunk.partition)
      }
    }
  }
  await fetcher.close()
  return records
}

// The cursor's views are into a buffer that the next fetch may use again.
function copyOf(cursor: BatchCursor): LogRecord {
  const copy = (view: Buffer | null): Buffer | null => (view === null ? null : Buffer.from(view))
  return { key: copy(cursor.key()), value: copy(cursor.value()) }
}
