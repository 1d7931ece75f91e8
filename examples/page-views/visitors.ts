// Made-up visitors: sends page views in slices, each awaited, so that memory stays bounded.
import { setTimeout as sleep } from 'node:timers/promises'
import { pageViews } from './main.ts'

export interface Visits {
  /** Page views a second; 0 sends as fast as the log takes them. */
  readonly rate: number
  /** Stops after so many. @default never */
  readonly events?: number
  readonly signal?: AbortSignal
}

const slicesPerSecond = 20
const sliceEventsMax = 5_000
const pages = Array.from({ length: 100 }, (_, index) => `/page/${index}`)

export interface Sent {
  readonly sent: number
  /** The offset after the last view of each partition. */
  readonly ends: ReadonlyMap<number, number>
}

/** Resolves when what it sent is durable in the log. */
export async function sendVisits({ rate, events = Infinity, signal }: Visits): Promise<Sent> {
  const started = performance.now()
  const ends = new Map<number, number>()
  let sent = 0
  while (sent < events && signal?.aborted !== true) {
    const size = Math.min(events - sent, sliceSize(rate, sent, performance.now() - started))
    const views = Array.from({ length: size }, (_, index) => view(sent + index))
    const places = await Promise.all(views.map((one) => pageViews.send(one)))
    for (const { partition, offset } of places) {
      ends.set(partition, Math.max(ends.get(partition) ?? 0, Number(offset) + 1))
    }
    sent += size
    if (rate > 0) await pause(1_000 / slicesPerSecond, signal)
  }
  return { sent, ends }
}

// What is due by now: a slow slice is made up for in the next one, up to the limit.
function sliceSize(rate: number, sent: number, elapsedMs: number): number {
  if (rate === 0) return sliceEventsMax
  const due = Math.ceil((rate * (elapsedMs + 1_000 / slicesPerSecond)) / 1_000)
  return Math.max(0, Math.min(sliceEventsMax, due - sent))
}

/** Ends early, and without an error, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch(() => undefined)
}

function view(index: number): { key: string; value: { pageId: string; userId: string } } {
  const pageId = pages[Math.floor(Math.random() * pages.length)] ?? '/'
  return { key: pageId, value: { pageId, userId: `user-${index % 1_000}` } }
}
