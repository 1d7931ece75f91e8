// An app that counts the records of `in` by key, in a plain and in a windowed table.
import { type App, type AppOptions, type Table, tumbling, type Window } from 'tailrace'
import { murmur2Partitioner } from 'tailrace'
import { z } from 'zod'
import type { AppLog } from './app-log.ts'

export interface Counting {
  readonly app: App
  readonly counts: Table<string, number, number, undefined>
  readonly minutes: Table<string, number, number, Window<'one'>>
}

export const partitions = 4

/** A value of 0 deletes the key; every other one counts. */
export function counting(log: AppLog, options: Partial<AppOptions> = {}): Counting {
  const app = log.app(options)
  const source = app.topic('in', { key: z.string(), value: z.number(), partitions })
  const count = { key: z.string(), value: z.number(), initial: () => 0 }
  const counts = app.table('counts', count)
  const minutes = app.table('minutes', { ...count, window: tumbling('1m', { retention: '2d' }) })
  app.each('count', { source, tables: { counts, minutes } }, (event, { counts, minutes }) => {
    if (event.value === 0) counts.delete(event.key)
    else counts.update(event.key, (one) => one + 1)
    minutes.at(event).update(event.key, (one) => one + 1)
  })
  return { app, counts, minutes }
}

const baseMs = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000

/** Sends each key so many times, in its partition; `key-0` is deleted at the end. */
export async function feed(log: AppLog, keys: number, rounds = 1): Promise<void> {
  const producer = await log.transport.producer()
  const send = (name: string, value: number, at: number): Promise<unknown> => {
    const key = Buffer.from(name)
    const partition = murmur2Partitioner.partition(key, partitions)
    const timestamp = baseMs + at
    return producer.send({ topic: 'in', partition, key, value: Buffer.from(`${value}`), timestamp })
  }
  const sends = Array.from({ length: keys * rounds }, (_, n) => send(`key-${n % keys}`, 1, n))
  await Promise.all([...sends, send('key-0', 0, keys * rounds)])
  await producer.close()
}

/** Every row, sorted. */
export async function rowsOf({ counts, minutes }: Counting): Promise<readonly string[]> {
  const limit = 1_000_000
  const plain = await Array.fromAsync(counts.scan({ limit }), ([key, value]) => `${key}=${value}`)
  const panes = await Array.fromAsync(
    minutes.scan({ limit }),
    ([key, { start, value }]) => `${key}@${(start - baseMs) / 60_000}=${value}`
  )
  return [...plain, ...panes].toSorted()
}

/** What the rows must be after one `feed`. */
export function rowsAfter(keys: number, rounds = 1): readonly string[] {
  const rows = Array.from({ length: keys - 1 }, (_, n) => `key-${n + 1}=${rounds}`)
  const panes = new Map<string, number>()
  for (let n = 0; n <= keys * rounds; n++) {
    const name = `key-${n === keys * rounds ? 0 : n % keys}@${Math.floor(n / 60_000)}`
    panes.set(name, (panes.get(name) ?? 0) + 1)
  }
  return [...rows, ...[...panes].map(([name, count]) => `${name}=${count}`)].toSorted()
}
