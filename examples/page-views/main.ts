// Page views counted per minute: one topic, one windowed table, one agent, three web pages.
import { createApp, tumbling } from 'tailrace'
import { z } from 'zod'

const PageView = z.object({ pageId: z.string(), userId: z.string() })

export const app = createApp({ id: 'page-views', web: { port: 8088 } })

export const pageViews = app.topic('page_views', { key: z.string(), value: PageView })

export const views = app.table('views', {
  key: z.string(),
  value: z.int(),
  initial: () => 0,
  window: tumbling('1m', { grace: '10s', retention: '1d' })
})

app.agent('count-views', { source: pageViews, tables: { views } }, async (events, { views }) => {
  for await (const event of events) views.at(event).update(event.key, (count) => count + 1)
})

app.web.get('/', (c) => c.json({ status: 'OK' }))

// Tailrace itself answers /ready/: 200 when this worker is assigned and its tables are restored,
// else 503 with the reason.
let visits = 0
app.web.get('/count/', async (c) => {
  visits += 1
  await pageViews.send({ key: '/count/', value: { pageId: '/count/', userId: 'you' } })
  return c.json({ visits })
})

/** Every minute of every page: what /report/ shows, and what the demo counts. */
export async function report(): Promise<Report> {
  const rows = views.scan({ limit: Number.MAX_SAFE_INTEGER })
  const minutes = await Array.fromAsync(rows, ([page, pane]) => ({
    page,
    minute: new Date(pane.start).toISOString(),
    views: pane.value
  }))
  return { total: minutes.reduce((sum, one) => sum + one.views, 0), ...rows.coverage, minutes }
}

export interface Report {
  readonly total: number
  readonly partitions: readonly number[]
  /** False where other workers have some of the partitions. */
  readonly isComplete: boolean
  readonly minutes: readonly { page: string; minute: string; views: number }[]
}

app.web.get('/report/', async (c) => c.json(await report()))

if (import.meta.main) await app.main()
