// Type test: page views counted in a windowed table, and the closure over a table refused.
import { createApp, tumbling } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'page-views' })
const PageView = z.object({ pageId: z.string(), userId: z.string() })
const pageViews = app.topic('page_views', { key: z.string(), value: PageView, partitions: 8 })
const views = app.table('views', {
  key: z.string(),
  value: z.number().int(),
  initial: () => 0,
  window: tumbling('1m', { grace: '10s', retention: '1d' })
})
const byPage = app.stream(pageViews).groupBy('by-page', (e) => e.value.pageId)
app.agent('count-views', { source: byPage, tables: { views } }, async (events, { views }) => {
  for await (const event of events) views.at(event).update(event.key, (n) => n + 1)
})

let count = 0
app.web.get('/count/', async (c) => {
  count++
  await pageViews.send({ key: 'me', value: { pageId: 'index', userId: 'me' } })
  return c.json({ count })
})
app.web.get('/report/', async (c) => c.json(await Array.fromAsync(views.scan({ limit: 1000 }))))
app.web.get('/views/:page', async (c) => {
  const a = await views.query(c.req.param('page'))
  const panes = a.value.map((p) => [p.start, p.value])
  return c.json(panes, 200, { 'x-stale': String(a.isStale) })
})

app.agent('bad', { source: byPage }, async (events) => {
  // @ts-expect-error closure use of a table: the declaration has no `at`
  for await (const e of events) views.at(e).update(e.key, (n) => n + 1)
})
