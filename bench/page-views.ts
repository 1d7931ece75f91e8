// The page views of the comparison: the same from the same number, in the form the peers read.

export const inputTopic = 'page_views'

// The peers' numbers: pages log-uniform over 100,000, users uniform over 50,000.
const pageCount = 100_000
const userCount = 50_000

/** The same pages come again after so many views; time goes on. */
export const cycleViews = 2_000_000
/** Event time of one cycle, in ms. */
const cycleMs = 600_000
export const partitions = 8
export const windowMs = 60_000

export interface View {
  readonly index: number
  readonly page: number
  readonly user: number
  readonly timestamp: number
}

/** How many views, and when the first one was. */
export interface Load {
  readonly events: number
  readonly base: number
}

/** When the first of so many views was, so that the last one was five minutes ago. */
export function firstTimestamp(events: number, nowMs: number): number {
  const spanMs = Math.ceil(events / cycleViews) * cycleMs
  return Math.floor((nowMs - spanMs - 300_000) / windowMs) * windowMs
}

/** The views in the order in which they are sent. */
export function* viewsOf({ events, base }: Load): Generator<View, void, void> {
  const perCycle = Math.min(events, cycleViews)
  const spread = Math.log(pageCount)
  let random = mulberry32(42)
  for (let index = 0; index < events; index++) {
    const place = index % perCycle
    if (place === 0) random = mulberry32(42)
    const page = Math.floor(Math.exp(random() * spread)) - 1
    const user = Math.floor(random() * userCount)
    const cycles = Math.floor(index / perCycle)
    const elapsed = cycles * cycleMs + Math.floor((place * cycleMs) / perCycle)
    yield { index, page, user, timestamp: base + elapsed }
  }
}

export function pageName(page: number): string {
  return `page-${String(page).padStart(7, '0')}`
}

export function userName(user: number): string {
  return `user-${String(user).padStart(6, '0')}`
}

/** The JSON of one view, about 120 bytes; ids differ from view to view. */
export function viewText({ index, page, user, timestamp }: View): string {
  const hex = (Math.imul(index + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
  const id = `${hex}-${hex.slice(0, 4)}-${hex.slice(4)}-${hex.slice(2, 6)}-${hex}${hex.slice(0, 4)}`
  return (
    `{"id":"${id}","user_id":"${userName(user)}","page_id":"${pageName(page)}",` +
    `"timestamp":${timestamp}}`
  )
}

/** Views of each page in each minute from a moment on: what the table must hold. */
export function countByMinute(load: Load, from: number): Map<number, Map<string, number>> {
  const names = Array.from({ length: pageCount }, (_, page) => pageName(page))
  const windows = new Map<number, Map<string, number>>()
  for (const { page, timestamp } of viewsOf(load)) {
    const start = Math.floor(timestamp / windowMs) * windowMs
    if (start < from) continue
    let window = windows.get(start)
    if (window === undefined) windows.set(start, (window = new Map()))
    const name = names[page] as string
    window.set(name, (window.get(name) ?? 0) + 1)
  }
  return windows
}

/** As many pages as views, all in the first minute, and some pages so often once more. */
export function countDistinct(
  { base, events }: Load,
  more: { readonly pages: readonly string[]; readonly times: number }
): Map<number, Map<string, number>> {
  const counts = new Map<string, number>()
  for (let page = 0; page < events; page++) counts.set(pageName(page), 1)
  for (const page of more.pages) counts.set(page, (counts.get(page) ?? 0) + more.times)
  return new Map([[base, counts]])
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
