// The smallest app with a table, for tests that break the log under it.
import { type App, createApp, type Table, type Topic } from 'tailrace'
import { z } from 'zod'

export interface CountingInMemory {
  readonly app: App
  readonly counts: Table<string, number, number, undefined>
  readonly views: Topic<string, number>
}

export function countingApp(): CountingInMemory {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const views = app.topic('views', { key: z.string(), value: z.number(), partitions: 1 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source: views, tables: { counts } }, ({ key }, { counts }) => {
    counts.update(key, (count) => count + 1)
  })
  return { app, counts, views }
}
