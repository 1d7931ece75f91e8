// The log of a bench: a directory of its own, filled before anything is measured, read to check.
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BatchCursor } from '../src/core/batch-cursor.ts'
import type { Admin, TopicPartition, Transport } from '../src/port/transport.ts'
import { realClock } from '../src/runtime/real-clock.ts'
import { createEmbeddedTransport } from '../src/transport/embedded/index.ts'
import { partitions } from './page-views.ts'

/** Work in a directory that is gone afterwards. */
export async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-bench-'))
  // Also when a signal ends the bench: an input of gigabytes may be in it.
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    return await work(directory)
  } finally {
    process.off('exit', remove)
    await rm(directory, { recursive: true, force: true })
  }
}

export async function openLog(directory: string): Promise<Transport> {
  const transport = createEmbeddedTransport({ directory: join(directory, 'log'), clock: realClock })
  await transport.open()
  return transport
}

export async function createTopics(admin: Admin, names: readonly string[]): Promise<void> {
  const settings = {
    cleanupPolicy: 'delete',
    retentionMs: -1,
    timestampType: 'create',
    extra: {}
  } as const
  await admin.create(names.map((name) => ({ name, partitions, replication: 1, settings })))
}

const everyPartition = (topic: string, count = partitions): TopicPartition[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }))

/** Records of a topic. */
export async function countOf(admin: Admin, topic: string): Promise<number> {
  const ranges = await admin.ranges(everyPartition(topic))
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0)
}

/** Records below the offsets that a group has committed, of a topic of so many partitions. */
export async function committedOf(
  admin: Admin,
  {
    count,
    group,
    topic
  }: { readonly group: string; readonly topic: string; readonly count?: number }
): Promise<number> {
  const committed = await admin.committed(group, everyPartition(topic, count))
  return committed.reduce((sum, { offset }) => sum + Math.max(0, offset), 0)
}

/** Walks every record that the topic has now. */
export async function eachRecord(
  transport: Transport,
  topic: string,
  visit: (cursor: BatchCursor) => void
): Promise<void> {
  let left = await countOf(transport.admin(), topic)
  const fetcher = await transport.fetcher()
  fetcher.add(everyPartition(topic).map((at) => ({ ...at, offset: 0 })))
  const cursor = new BatchCursor()
  while (left > 0) {
    for (const chunk of await fetcher.fetch({ bytesMax: 8 << 20, waitMaxMs: 1_000 })) {
      cursor.reset(chunk.bytes, 0)
      for (; cursor.next(); left--) visit(cursor)
    }
  }
  await fetcher.close()
}
