// What the input must come to: a fold of everything that was sent, made by nobody but the test.
import type { Page, Seen, User, Visit } from './visits.ts'

export interface SentVisit extends Visit {
  readonly timestamp: number
}

/** The tables as plain data; a windowed row is named `key@start`. */
export interface Tables {
  readonly users: Readonly<Record<string, User>>
  readonly pages: Readonly<Record<string, Page>>
  readonly views: Readonly<Record<string, number>>
}

const minuteMs = 60_000

export function foldOf(sent: readonly SentVisit[]): Tables {
  const users = new Map<string, User>()
  const pages = new Map<string, Page>()
  const views = new Map<string, number>()
  for (const { id, page, timestamp, user } of sent) {
    users.set(user, { count: (users.get(user)?.count ?? 0) + 1, last: id })
    const { count, sum } = pages.get(page) ?? { count: 0, sum: 0 }
    pages.set(page, { count: count + 1, sum: sum + id })
    const pane = `${page}@${Math.floor(timestamp / minuteMs) * minuteMs}`
    views.set(pane, (views.get(pane) ?? 0) + 1)
  }
  return tablesOf({ users, pages, views })
}

export function tablesOf(rows: {
  readonly users: Iterable<readonly [string, User]>
  readonly pages: Iterable<readonly [string, Page]>
  readonly views: Iterable<readonly [string, number]>
}): Tables {
  const sorted = <V>(entries: Iterable<readonly [string, V]>): Record<string, V> =>
    Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return { users: sorted(rows.users), pages: sorted(rows.pages), views: sorted(rows.views) }
}

/** Each id once, and the numbers of a page are 1, 2, 3 and so on; else what is wrong. */
export function outputProblems(sent: readonly SentVisit[], seen: readonly Seen[]): string[] {
  const times = new Map<number, number>()
  for (const { id } of seen) times.set(id, (times.get(id) ?? 0) + 1)
  const lost = sent.filter(({ id }) => !times.has(id)).map(({ id }) => id)
  const doubled = [...times].filter(([, count]) => count > 1).map(([id]) => id)
  const problems: string[] = []
  if (lost.length > 0) problems.push(`${lost.length} lost, such as ${lost.slice(0, 5).join()}`)
  if (doubled.length > 0) {
    problems.push(`${doubled.length} doubled, such as ${doubled.slice(0, 5).join()}`)
  }
  if (times.size > sent.length) problems.push('ids that nobody sent')
  for (const [page, own] of Object.entries(Object.groupBy(seen, (one) => one.page))) {
    const numbers = (own ?? []).map(({ count }) => count).toSorted((a, b) => a - b)
    const at = numbers.findIndex((number, index) => number !== index + 1)
    if (at >= 0) problems.push(`number ${at + 1} of page ${page} is ${numbers[at]}`)
  }
  return problems
}
