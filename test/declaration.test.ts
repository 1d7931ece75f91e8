// Every word of the declaration in one app, on the embedded log: run, stopped, started afresh.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp, hopping, type Pane, skip, string, tumbling, type Worker } from 'tailrace'
import { z } from 'zod'

const hourMs = 3_600_000
const begin = Math.floor(Date.now() / hourMs) * hourMs - 2 * hourMs
const window = { grace: '3h', retention: '1d' } as const
const Sale = z.object({ account: z.string(), cents: z.int() })
type Sale = z.infer<typeof Sale>

/** Sales of a shop and of a web page, merged, cleaned, grouped and counted in every way. */
function shopApp(directory: string, datadir: string) {
  const app = createApp({
    id: 'declared',
    broker: `embedded:${join(directory, 'log')}`,
    datadir: join(directory, datadir),
    commitInterval: 10,
    onError: skip
  })
  const sales = { key: z.string(), value: Sale, partitions: 2, retention: -1 } as const
  const [shop, online] = [app.topic('shop', sales), app.topic('online', sales)]
  const big = app.topic('big', { key: z.string(), value: z.string(), codec: string, partitions: 1 })
  const counts = { key: z.string(), value: z.int(), initial: () => 0 }
  const spent = app.table('spent', counts)
  const hourly = app.table('hourly', { ...counts, window: tumbling('1h', window) })
  const every = { ...window, every: '30m' } as const
  const moving = app.table('moving', { ...counts, window: hopping('1h', every) })
  const state = { tapped: 0, letters: [] as string[], seenBefore: 0, ticks: 0, tasks: 0 }

  const byAccount = app
    .stream(shop)
    .merge(online)
    .tap(() => void state.tapped++)
    .filter(({ value }) => value.cents > 0)
    .groupBy('by-account', ({ value }) => value.account)
    .map(({ value }) => value.cents)
  const print = app.agent('print', { source: app.inbox({ value: z.string() }) }, async (events) => {
    for await (const text of events.values()) state.letters.push(text)
  })
  const tables = { spent, hourly, moving }
  app
    .agent(
      'count',
      { source: byAccount, tables, outputs: { big } },
      async function* (events, parts) {
        for await (const event of events) {
          const { key, value } = event
          parts.hourly.at(event).update(key, (sum) => sum + value)
          parts.moving.at(event).update(key, (sum) => sum + value)
          const total = parts.spent.update(key, (sum) => sum + value)
          if (value >= 900) parts.big.send({ key, value: `${key} spent ${value}` })
          if (value === 999) yield `dear ${key}, that makes ${total}`
        }
      }
    )
    .sink(print)
  app.each('look', { source: byAccount, reads: { spent } }, ({ key }, { spent }) => {
    if (spent.has(key)) state.seenBefore++
  })
  app.timer('tick', { every: '20ms', onLeader: true }, () => {
    if (app.isLeader && app.leaderEpoch !== undefined) state.ticks++
  })
  app.task('once', {}, () => void state.tasks++)
  app.web.get('/spent/:account', async (c) => c.json(await spent.query(c.req.param('account'))))
  return { app, shop, online, big, spent, hourly, moving, state }
}

type ShopApp = ReturnType<typeof shopApp>

interface Sent {
  readonly timestamp: number
  readonly value: Sale
}

const sent: readonly Sent[] = Array.from({ length: 2_000 }, (_, n) => ({
  timestamp: begin + ((n * 7_919) % 3_000) * 2_000,
  value: { account: `account-${n % 7}`, cents: ((n * 37) % 1_050) - 50 }
}))

/** The same sums by plain loops, in no order. */
function fold(): Tables {
  const [spent, hourly, moving] = [{}, {}, {}] as Record<string, number>[]
  const add = (sums: Record<string, number> = {}, key: string, cents: number): void => {
    sums[key] = (sums[key] ?? 0) + cents
  }
  for (const { timestamp, value } of sent) {
    const { account, cents } = value
    if (cents <= 0) continue
    add(spent, account, cents)
    add(hourly, `${account} ${Math.floor(timestamp / hourMs) * hourMs}`, cents)
    const last = Math.floor(timestamp / (hourMs / 2)) * (hourMs / 2)
    for (const start of [last - hourMs / 2, last]) add(moving, `${account} ${start}`, cents)
  }
  return { spent: spent ?? {}, hourly: hourly ?? {}, moving: moving ?? {} }
}

type Tables = Readonly<Record<'spent' | 'hourly' | 'moving', Readonly<Record<string, number>>>>

async function tablesOf({ hourly, moving, spent }: ShopApp): Promise<Tables> {
  const all = { limit: Number.MAX_SAFE_INTEGER }
  const named = async (rows: AsyncIterable<readonly [string, Pane<number>]>) =>
    Object.fromEntries(
      await Array.fromAsync(rows, ([key, { start, value }]) => [`${key} ${start}`, value] as const)
    )
  return {
    spent: Object.fromEntries(await Array.fromAsync(spent.scan(all))),
    hourly: await named(hourly.scan(all)),
    moving: await named(moving.scan(all))
  }
}

const read = (worker: Worker, topic: string): number =>
  worker.status().tasks.reduce((sum, { positions }) => sum + (positions[topic] ?? 0), 0)

test('run to the end, stopped, and started without its tables: equal to a fold', {
  timeout: 120_000
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-declared-'))
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const first = shopApp(directory, 'data')
  t.after(() => first.app.runner.close())
  const expected = fold()
  const wanted = sent.filter(({ value }) => value.cents > 0)
  const dear = wanted.filter(({ value }) => value.cents === 999)
  {
    await using worker = await first.app.start({ web: { port: 0 }, logLevel: 'silent' })
    await Promise.all(
      sent.map(({ timestamp, value }, n) =>
        (n % 2 === 0 ? first.shop : first.online).send({ key: `sale-${n}`, value, timestamp })
      )
    )
    const grouped = 'declared-by-account-repartition'
    while (
      read(worker, grouped) < wanted.length ||
      first.state.letters.length < dear.length ||
      first.state.ticks < 2
    ) {
      await sleep(10, undefined, t)
    }
    assert.deepEqual(await tablesOf(first), expected)
    const answer = await fetch(`${worker.url}/spent/account-1`)
    assert.equal(((await answer.json()) as { value: number }).value, expected.spent['account-1'])
    // At least: what a program counts by itself counts a try again after a lost session, too.
    assert.ok(first.state.tapped >= sent.length)
    assert.equal(first.state.tasks, 1)
    assert.ok(dear.length > 0)
    assert.match(first.state.letters[0] ?? '', /^dear account-\d, that makes \d+$/)
    // Whoever only reads sees a key from its second event on.
    assert.ok(first.state.seenBefore >= wanted.length - 7)
    assert.equal(worker.status().counters.skipped, 0)
  }
  assert.equal(first.app.isLeader, false, 'left at the end of the block')

  const second = shopApp(directory, 'empty')
  const bigs: string[] = []
  second.app.each('read-big', { source: second.big }, ({ value }) => void bigs.push(value))
  await using _worker = await second.app.start({ web: false, logLevel: 'silent' })
  assert.deepEqual(await tablesOf(second), expected, 'restored from the changelogs alone')
  const big = wanted.filter(({ value }) => value.cents >= 900)
  while (bigs.length < big.length) await sleep(10, undefined, t)
  assert.deepEqual(
    bigs.toSorted(),
    big.map(({ value }) => `${value.account} spent ${value.cents}`).toSorted(),
    'each output once'
  )
  assert.equal(second.state.tapped, 0, 'nothing is read twice')
})
