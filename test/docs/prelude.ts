// What the fragments in the docs may use without showing it: an app with a few parts.
import { createApp, tumbling } from 'tailrace'
import { z } from 'zod'

export * from 'tailrace'
export { z } from 'zod'
export { setTimeout as sleep } from 'node:timers/promises'
export { spawn } from 'node:child_process'
export { once } from 'node:events'

export const app = createApp({ id: 'docs', deadLetter: 'dead' })

export const PageView = z.object({ page: z.string(), user: z.string() })
export const pageViews = app.topic('page_views', { key: z.string(), value: PageView })
export const byPage = app.stream(pageViews).groupBy('by-page', (view) => view.value.page)

export const totals = app.table('totals', { key: z.string(), value: z.int(), initial: () => 0 })
export const profiles = app.table('profiles', {
  key: z.string(),
  value: z.object({ name: z.string() })
})
export const views = app.table('views', {
  key: z.string(),
  value: z.int(),
  initial: () => 0,
  window: tumbling('1m', { grace: '10s' })
})
export const files = app.topic('files', { value: z.object({ path: z.string() }) })
export const alerts = app.topic('alerts', { key: z.string(), value: z.object({ why: z.string() }) })

/** Something that takes its time and may fail. */
export async function lookUp(name: string, signal: AbortSignal): Promise<{ name: string }> {
  signal.throwIfAborted()
  return { name }
}
