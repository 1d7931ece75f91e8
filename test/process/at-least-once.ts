// What at-least-once allows after a kill, worked out from what the killed worker left in the log:
// what was committed took hold once, what was not may be there already and is done again.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { foldOf, type SentVisit, type Tables, tablesOf } from './ledger.ts'
import {
  type LogRecord,
  partitionsOf,
  rangesOf,
  readChangelogs,
  readSeen,
  readTopic
} from './log-reader.ts'
import type { Scene } from './run.ts'
import type { Page, User, Visit } from './visits.ts'

/** By partition: what was committed, and where the topic ended. */
interface Place {
  readonly committed: readonly number[]
  readonly ends: readonly number[]
}

/** What a killed worker left. */
export interface Left {
  readonly visits: Place
  readonly byPage: Place
  /** By page, as far as they are still there: what is committed is deleted after a while. */
  readonly records: readonly LogRecord[]
  readonly isCut: boolean
  /** That its changelogs come to: what the next one begins with. */
  readonly rows: Tables
}

interface Range {
  readonly min: number
  readonly max: number
}

/** A request that was under way when its sender died may still be carried out. */
const quietMs = 500

/** Read when nothing changes any more. */
export async function readLeft(scene: Scene): Promise<Left> {
  const { log, names } = scene
  for (let left = await readOnce(scene); ; ) {
    await sleep(quietMs)
    const again = await readOnce(scene)
    if (JSON.stringify(again) !== JSON.stringify(left)) {
      left = again
      continue
    }
    const ranges = await rangesOf(log.transport, names.byPage)
    const records = await readTopic(log.transport, names.byPage)
    return { ...again, records, isCut: ranges.some(({ start }) => start > 0) }
  }
}

async function readOnce({ log, names }: Scene): Promise<Omit<Left, 'isCut' | 'records'>> {
  const placeOf = async (topic: string): Promise<Place> => {
    const ranges = await rangesOf(log.transport, topic)
    const found = await log.transport.admin().committed(names.app, partitionsOf(topic))
    const committed = new Map(found.map(({ offset, partition }) => [partition, offset]))
    return {
      committed: ranges.map(({ partition, start }) => committed.get(partition) ?? start),
      ends: ranges.map(({ end }) => end)
    }
  }
  return {
    visits: await placeOf(names.app),
    byPage: await placeOf(names.byPage),
    rows: await readChangelogs(log)
  }
}

/**
 * Compares what there is now with what one kill may have made of it. Nothing was lost, committed
 * records took hold once, and a table is what its changelog was and all that was not committed.
 * Returns how often something was done twice.
 */
export async function checkAgainst(scene: Scene, left: Left): Promise<number> {
  const { log, names, sent } = scene
  const visits = await readTopic(log.transport, names.app)
  assert.equal(visits.length, sent.length)
  const seen = countsOf(await readSeen(log))
  const allowed = timesSeen(visits, left)
  const problems = sent
    .map(({ id }) => ({
      id,
      times: seen.get(id) ?? 0,
      range: allowed.get(id) ?? { min: 1, max: 1 }
    }))
    .filter(({ range, times }) => times < range.min || times > range.max)
    .map(({ id, range, times }) => `${id} ${times} times, not ${range.min} to ${range.max}`)
  assert.deepEqual(problems.slice(0, 10), [], `${problems.length} problems\n${scene.texts}`)

  const expected = refolded(sent, { visits, left })
  const rows = await readChangelogs(log)
  assert.deepEqual(rows, expected, 'the changelogs')
  for (const data of ['data', 'empty']) {
    assert.deepEqual(await scene.tablesFrom(data), expected, `the tables of "${data}"`)
  }
  const doubled = [...seen.values()].reduce((sum, times) => sum + times - 1, 0)
  return doubled + excessOf(rows, foldOf(sent))
}

/**
 * For harm whose outcome nobody can work out: everything that was sent is seen, and no row is below
 * its fold. Returns how often something was done twice.
 */
export async function doublesOf(scene: Scene): Promise<number> {
  const { log, sent } = scene
  const seen = countsOf(await readSeen(log))
  const missing = sent.filter(({ id }) => !seen.has(id)).map(({ id }) => id)
  assert.deepEqual(missing.slice(0, 10), [], `${missing.length} are missing\n${scene.texts}`)
  const excess = excessOf(await readChangelogs(log), foldOf(sent))
  return [...seen.values()].reduce((sum, times) => sum + times - 1, 0) + excess
}

/** As `doublesOf`, and tables are what their changelogs say; nothing runs any more. */
export async function checkNoneLost(scene: Scene): Promise<number> {
  const doubles = await doublesOf(scene)
  const rows = await readChangelogs(scene.log)
  assert.deepEqual(await scene.tablesFrom('empty'), rows, 'the tables restored from nothing')
  return doubles
}

function visitIn({ value }: LogRecord): Visit {
  return JSON.parse(String(value)) as Visit
}

function countsOf(records: readonly { readonly id: number }[]): Map<number, number> {
  const times = new Map<number, number>()
  for (const { id } of records) times.set(id, (times.get(id) ?? 0) + 1)
  return times
}

/** How often each visit may be seen: by what was there of it, and what was to come. */
function timesSeen(visits: readonly LogRecord[], left: Left): Map<number, Range> {
  const before = Map.groupBy(left.records, (one) => visitIn(one).id)
  return new Map(
    visits.map((visit) => {
      const { id } = visitIn(visit)
      const parts = before.get(id) ?? []
      if (!isLater(left.visits, visit)) {
        const isThere = parts.length === 1 || (left.isCut && parts.length === 0)
        assert.ok(isThere, `visit ${id} is committed and was passed on ${parts.length} times`)
        return [id, rangeOf(parts[0], left)]
      }
      const isUnread = visit.offset >= (left.visits.ends[visit.partition] ?? 0)
      assert.ok(parts.length <= (isUnread ? 0 : 1), `visit ${id} was passed on too often`)
      // Once more than that, by the worker that nobody harmed.
      const { max, min } = parts.length === 0 ? { min: 0, max: 0 } : rangeOf(parts[0], left)
      return [id, { min: min + 1, max: max + 1 }]
    })
  )
}

/** What was not committed may have been done before; nothing else. */
function rangeOf(record: LogRecord | undefined, { byPage }: Left): Range {
  return { min: 1, max: record !== undefined && isLater(byPage, record) ? 2 : 1 }
}

function isLater({ committed }: Place, { offset, partition }: LogRecord): boolean {
  return offset >= (committed[partition] ?? 0)
}

interface Refold {
  readonly visits: readonly LogRecord[]
  readonly left: Left
}

/** The rows that were left, and on top of them all that was not committed. */
function refolded(sent: readonly SentVisit[], { left, visits }: Refold): Tables {
  const users = new Map<string, User>(Object.entries(left.rows.users))
  const pages = new Map<string, Page>(Object.entries(left.rows.pages))
  const views = new Map<string, number>(Object.entries(left.rows.views))
  const again = visits.filter((one) => isLater(left.visits, one))
  for (const record of again) {
    const { id, user } = visitIn(record)
    users.set(user, { count: (users.get(user)?.count ?? 0) + 1, last: id })
  }
  // What had been passed on and was not committed, and what is passed on once more.
  for (const record of [...left.records.filter((one) => isLater(left.byPage, one)), ...again]) {
    const { id, page } = visitIn(record)
    const { count, sum } = pages.get(page) ?? { count: 0, sum: 0 }
    pages.set(page, { count: count + 1, sum: sum + id })
    const { timestamp } = sent[id] ?? assert.fail(`visit ${id} was not sent`)
    const pane = `${page}@${Math.floor(timestamp / 60_000) * 60_000}`
    views.set(pane, (views.get(pane) ?? 0) + 1)
  }
  return tablesOf({ users, pages, views })
}

/** By how much counts are above those of the input; none is below, and no row is missing. */
function excessOf(rows: Tables, exact: Tables): number {
  let excess = 0
  const compare = (what: string, has: number | undefined, least: number): void => {
    assert.ok(has !== undefined && has >= least, `${what} is ${has}, expected at least ${least}`)
    excess += has - least
  }
  for (const [user, { count, last }] of Object.entries(exact.users)) {
    compare(user, rows.users[user]?.count, count)
    assert.equal(rows.users[user]?.last, last, `the last visit of ${user}`)
  }
  for (const [page, { count }] of Object.entries(exact.pages)) {
    compare(page, rows.pages[page]?.count, count)
  }
  for (const [pane, count] of Object.entries(exact.views)) compare(pane, rows.views[pane], count)
  return excess
}
