// The app that the process tests run and break: tables and an output that show loss and doubling.
import {
  type App,
  type AppOptions,
  createApp,
  type Table,
  type Topic,
  tumbling,
  type Window
} from 'tailrace'
import { z } from 'zod'

const Visit = z.object({ id: z.int(), user: z.string(), page: z.string() })
const Seen = z.object({ id: z.int(), page: z.string(), count: z.int() })
const User = z.object({ count: z.int(), last: z.int() })
const Page = z.object({ count: z.int(), sum: z.int() })

export type Visit = z.infer<typeof Visit>
export type Seen = z.infer<typeof Seen>
export type User = z.infer<typeof User>
export type Page = z.infer<typeof Page>

export interface VisitsApp {
  readonly app: App
  readonly visits: Topic<string, Visit>
  readonly users: Table<string, User, User, undefined>
  readonly pages: Table<string, Page, Page, undefined>
  readonly views: Table<string, number, number, Window<'one'>>
}

export interface VisitsOptions extends Omit<AppOptions, 'id'> {
  /** Awaited by the second agent before each event counts. */
  readonly before?: (visit: Visit, signal: AbortSignal) => void | Promise<void>
  /** Events of a page's partition that the second agent works on at once. @default 1, in a loop */
  readonly concurrency?: number
  /** @default SCENE_SUFFIX of the environment */
  readonly suffix?: string
}

export const partitions = 4

/** What the app and its topics are called: scenes that share a broker add a part of their own. */
export interface VisitsNames {
  readonly app: string
  readonly seen: string
  readonly byPage: string
  changelog(table: string): string
}

export function namesOf(suffix: string): VisitsNames {
  const app = `visits${suffix}`
  return {
    app,
    seen: `seen${suffix}`,
    byPage: `${app}-by-page-repartition`,
    changelog: (table) => `${app}-${table}-changelog`
  }
}

/**
 * visits → each user's count and last id, in the order they were sent;
 * visits → by page → counts by minute, count and sum of ids, and each id once with its number.
 */
export function visitsApp({
  before,
  concurrency = 1,
  suffix,
  ...options
}: VisitsOptions = {}): VisitsApp {
  const names = namesOf(suffix ?? process.env['SCENE_SUFFIX'] ?? '')
  const app = createApp({ id: names.app, web: false, ...options })
  const visits = app.topic(names.app, { key: z.string(), value: Visit, partitions })
  const seen = app.topic(names.seen, { key: z.string(), value: Seen, partitions })
  const users = app.table('users', {
    key: z.string(),
    value: User,
    initial: () => ({ count: 0, last: -1 })
  })
  const pages = app.table('pages', {
    key: z.string(),
    value: Page,
    initial: () => ({ count: 0, sum: 0 })
  })
  const window = tumbling('1m', { grace: '1d', retention: '2d' })
  const views = app.table('views', { key: z.string(), value: z.int(), initial: () => 0, window })

  app.agent('track', { source: visits, tables: { users } }, async (events, { users }) => {
    for await (const { key, value } of events) {
      users.update(key, ({ count }) => ({ count: count + 1, last: value.id }))
    }
  })
  const byPage = app.stream(visits).groupBy('by-page', ({ value }) => value.page)
  const uses = { source: byPage, tables: { views, pages }, outputs: { seen } }
  if (concurrency > 1) {
    app.each('count', { ...uses, concurrency }, async (event, { views, pages, seen }, task) => {
      const { id, page } = event.value
      views.at(event).update(page, (count) => count + 1)
      const { count } = pages.update(page, (one) => ({ count: one.count + 1, sum: one.sum + id }))
      await Promise.resolve(before?.(event.value, task.signal))
      seen.send({ key: page, value: { id, page, count } })
    })
    return { app, visits, users, pages, views }
  }
  app.agent('count', uses, async (events, { views, pages, seen }, { signal }) => {
    for await (const event of events) {
      const { id, page } = event.value
      const waited = before?.(event.value, signal)
      await Promise.resolve(waited)
      views.at(event).update(page, (count) => count + 1)
      const { count } = pages.update(page, (one) => ({ count: one.count + 1, sum: one.sum + id }))
      seen.send({ key: page, value: { id, page, count } })
    }
  })
  return { app, visits, users, pages, views }
}

if (import.meta.main) await visitsApp().app.main()
