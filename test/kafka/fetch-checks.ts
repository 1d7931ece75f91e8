// What tests of the fetcher share: records in batches of their own, and a reader that checks.
import assert from 'node:assert/strict'
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import type { FetchedChunk, Fetcher, TopicPartition } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { KafkaFetcher } from '../../src/transport/kafka/fetcher.ts'
import { openProducer } from '../../src/transport/kafka/producer.ts'
import type { Session } from './session.ts'

export type FetcherOptions = Omit<
  ConstructorParameters<typeof KafkaFetcher>[0],
  'cluster' | 'clock'
>

export const limits: { readonly bytesMax: number; readonly waitMaxMs: number } = {
  bytesMax: 1_048_576,
  waitMaxMs: 500
}

/** Opens a fetcher for as long as `use` runs. */
export async function withFetcher<T>(
  { cluster }: Pick<Session, 'cluster'>,
  use: (fetcher: KafkaFetcher) => Promise<T>,
  options: FetcherOptions = {}
): Promise<T> {
  const fetcher = new KafkaFetcher({ cluster, clock: realClock, ...options })
  try {
    return await use(fetcher)
  } finally {
    await fetcher.close()
  }
}

export interface WriteOptions {
  readonly values: readonly string[]
  readonly batch?: number
  /** Of all of them. @default none */
  readonly key?: string | null
}

/** Writes values in batches of `batch`, each acknowledged before the next. */
export async function write(
  { cluster }: Pick<Session, 'cluster'>,
  at: TopicPartition,
  { values, batch = 1, key = null }: WriteOptions
): Promise<void> {
  const producer = await openProducer({ cluster, clock: realClock })
  try {
    for (let i = 0; i < values.length; i += batch) {
      const sent = values.slice(i, i + batch).map((value) => {
        const { topic, partition } = at
        return producer.send({
          topic,
          partition,
          key: key === null ? null : Buffer.from(key),
          value: Buffer.from(value),
          timestamp: 1
        })
      })
      await Promise.all(sent)
    }
  } finally {
    await producer.close()
  }
}

/** Values of a chunk, which must begin at the position and leave none out. */
export function valuesOf(chunk: FetchedChunk, position: number): string[] {
  const cursor = new BatchCursor()
  cursor.reset(chunk.bytes, position)
  const values: string[] = []
  while (cursor.next()) values.push(cursor.value()?.toString() ?? '-')
  return values
}

/** Reads one partition up to an offset. */
export async function readTo(
  fetcher: Fetcher,
  at: TopicPartition,
  { from = 0, to, bytesMax = limits.bytesMax }: { from?: number; to: number; bytesMax?: number }
): Promise<string[]> {
  const values: string[] = []
  let position = from
  while (position < to) {
    for (const chunk of await fetcher.fetch({ ...limits, bytesMax })) {
      if (chunk.topic !== at.topic || chunk.partition !== at.partition) continue
      assert.equal(chunk.outOfRange, undefined)
      assert.ok(chunk.nextOffset >= position, 'a chunk leads back')
      values.push(...valuesOf(chunk, position))
      position = chunk.nextOffset
    }
  }
  return values
}

/** Numbers that a seed decides, so that a failure can be had again. */
export function numbersOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
