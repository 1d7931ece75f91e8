// What the simulator runs: every kind of step whose results an oracle can compute.
import { createApp, deadLetter, hasCode, hopping, retry, skip, tumbling } from 'tailrace'
import type { App, OnError, Table, Topic, Window } from 'tailrace'
import { z } from 'zod'

export const partitions = 4
export const recordBytesMax = 600

/** Also what the oracle goes by. */
export const countWindow = { sizeMs: 1_000, everyMs: 1_000, graceMs: 500, retentionMs: 86_400_000 }
export const rateWindow = { sizeMs: 1_000, everyMs: 500, graceMs: 200, retentionMs: 1_300 }

/** `curse`: agent "total" never gets it done. `skip`: agent "count" skips it. */
const deeds = ['plain', 'curse', 'skip', 'drop', 'small'] as const
export type Deed = (typeof deeds)[number]

const Order = z.object({
  id: z.number(),
  account: z.string(),
  amount: z.number(),
  deed: z.enum(deeds),
  /** Length of the note: above `recordBytesMax` it cannot be committed. */
  note: z.number()
})
// Validated asynchronously, as a schema that asks a registry would be.
const Probe = z.object({ id: z.number() }).refine(() => Promise.resolve(true))
const Total = z.object({ count: z.number(), sum: z.number() })
// A date cannot be frozen: such rows are kept as bytes.
const Share = z.object({ count: z.number(), at: z.coerce.date() })
const Note = z.object({ id: z.number(), text: z.string() })
const Audit = z.object({ id: z.number(), count: z.number() })
const Change = z.object({ account: z.string(), count: z.number(), sum: z.number() })

export type Order = z.infer<typeof Order>
export type Total = z.infer<typeof Total>
export type Audit = z.infer<typeof Audit>
export type Change = z.infer<typeof Change>
type Probe = z.infer<typeof Probe>
type Share = z.infer<typeof Share>
type Note = z.infer<typeof Note>

/** What happens to an event on its way: drawn by the seed, anew at each try. */
export interface Weather {
  /** Throws now and then. */
  maybeThrow(): void
  /** Takes its time now and then. */
  maybeWait(): Promise<void> | undefined
  /** Takes its time with every third event: others overtake it where they may. */
  linger(): Promise<void> | undefined
  /** True now and then: the loop returns where it should go on. */
  maybeEnd(): boolean
}

type Plain<V> = Topic<string | null, V, string | null, V>

export interface SimulatedApp {
  readonly app: App
  readonly orders: Plain<Order>
  readonly probes: Plain<Probe>
  readonly totals: Table<string, Total, Total, undefined>
  readonly accounts: Table<string, Total, Total, undefined>
  readonly shares: Table<string, Share, Share, undefined>
  readonly notes: Table<string, Note, Note | undefined, undefined>
  readonly counts: Table<string, number, number, Window<'one'>>
  readonly rates: Table<string, number, number, Window<'many'>>
}

class Cursed extends Error {}
class Skipped extends Error {}

const nothing = (): Total => ({ count: 0, sum: 0 })
const zero = (): number => 0
// Faults of the weather pass: every event gets through in the end.
const stubborn = retry({ times: 1_000, backoff: 20, max: 200 })
const persistent = retry({ times: 2, backoff: 5, otherwise: deadLetter() })

const onTotal: OnError = ({ error }) => (error instanceof Cursed ? persistent : stubborn)
const onCount: OnError = ({ error }) => (error instanceof Skipped ? skip : stubborn)
const onNote: OnError = async ({ error }) =>
  hasCode(error, 'TAILRACE_SCHEMA_TOO_LARGE') ? deadLetter() : stubborn

/** Events of a partition at a time, where more than one can be. */
export interface Width {
  /** Of an agent that shares its tasks with others, which take one at a time. */
  readonly notes: number
  /** Of an agent with tasks of its own. */
  readonly accounts: number
}

export const oneByOne: Width = { notes: 1, accounts: 1 }

export function simulatedApp(weather: Weather, width: Width = oneByOne): SimulatedApp {
  const app = createApp({ id: 'sim', broker: 'memory:', deadLetter: 'dead', onError: stubborn })
  const orders = app.topic('orders', { value: Order, partitions })
  const probes = app.topic('probes', { value: Probe, partitions })
  const parts: SimulatedApp = { app, orders, probes, ...tablesOf(app) }
  declareTotals(parts, weather)
  declareCounts(parts, weather)
  declareAccounts(parts, weather, width.accounts)
  const { notes } = parts
  const concurrency = width.notes
  const uses = { source: orders, tables: { notes }, onError: onNote, concurrency }
  app.each('note', uses, ({ key, value }, { notes }) => {
    if (key !== null) notes.set(key, { id: value.id, text: 'x'.repeat(value.note) })
    weather.maybeThrow()
    return concurrency > 1 ? weather.linger() : undefined
  })
  return parts
}

function tablesOf(app: App): Omit<SimulatedApp, 'app' | 'orders' | 'probes'> {
  const key = z.string()
  const { graceMs: grace } = countWindow
  const countsBy = tumbling(countWindow.sizeMs, { grace })
  const ratesBy = hopping(rateWindow.sizeMs, {
    every: rateWindow.everyMs,
    grace: rateWindow.graceMs,
    retention: rateWindow.retentionMs
  })
  return {
    totals: app.table('totals', { key, value: Total, initial: nothing }),
    accounts: app.table('accounts', { key, value: Total, initial: nothing }),
    shares: app.table('shares', {
      key,
      value: Share,
      initial: () => ({ count: 0, at: new Date(0) }),
      // Keyed by account, in the partition of the user.
      scope: 'partition'
    }),
    notes: app.table('notes', { key, value: Note }),
    counts: app.table('counts', { key, value: z.number(), initial: zero, window: countsBy }),
    rates: app.table('rates', { key, value: z.number(), initial: zero, window: ratesBy })
  }
}

// A loop that writes and sends; what it sends goes on through a second agent and its sink.
function declareTotals({ app, orders, probes, totals }: SimulatedApp, weather: Weather): void {
  const audit = app.topic('audit', { value: Audit, partitions })
  const final = app.topic('final', { value: Audit, partitions })
  const answers = app.topic('answers', { value: Audit, partitions })
  const uses = { source: orders, tables: { totals }, outputs: { audit }, onError: onTotal }
  app.agent('total', uses, async (events, { audit, totals }) => {
    for await (const { key, value } of events) {
      if (key === null) continue
      const total = totals.update(key, (old) => add(old, value.amount))
      weather.maybeThrow()
      await weather.maybeWait()
      audit.send({ key, value: { id: value.id, count: total.count } })
      if (value.deed === 'curse') throw new Cursed('this order is never done')
      weather.maybeThrow()
      if (weather.maybeEnd()) return
    }
  })
  const seen = app.topic('seen', { value: Audit, partitions })
  const watching = { source: orders, reads: { totals }, outputs: { seen } }
  // After the writer, on the same record: it still sees the table as it was before.
  app.each('watch', watching, ({ key, value }, { seen, totals }) => {
    if (key !== null) seen.send({ key, value: { id: value.id, count: totals.get(key).count } })
    weather.maybeThrow()
  })
  const ids = app.stream(probes).map(({ value }) => value.id)
  const reading = { source: ids, reads: { totals }, outputs: { answers } }
  app.agent('answer', reading, async (events, { answers, totals }) => {
    for await (const { key, value } of events) {
      await weather.maybeWait()
      if (key !== null) answers.send({ key, value: { id: value, count: totals.get(key).count } })
      weather.maybeThrow()
    }
  })
  app
    .agent('relay', { source: audit }, async function* (events) {
      for await (const event of events) {
        await weather.maybeWait()
        yield event.value
        weather.maybeThrow()
      }
    })
    .sink(final, () => weather.maybeWait())
}

// A handler that writes two windowed tables and a plain one with each event.
function declareCounts(parts: SimulatedApp, weather: Weather): void {
  const { app, counts, orders, rates, shares } = parts
  const uses = { source: orders, tables: { counts, rates, shares }, onError: onCount }
  app.each('count', uses, (event, { counts, rates, shares }) => {
    const { key, timestamp, value } = event
    if (key === null) return undefined
    counts.at(event).update(key, (count) => count + 1)
    rates.at(event).update(key, (count) => count + 1)
    weather.maybeThrow()
    const { account, deed } = value
    if (deed === 'drop') shares.delete(account)
    else shares.update(account, ({ count }) => ({ count: count + 1, at: new Date(timestamp) }))
    if (deed === 'skip') throw new Skipped('this order is not counted')
    return weather.maybeWait()
  })
}

function declareAccounts(
  { accounts, app, orders }: SimulatedApp,
  weather: Weather,
  concurrency: number
): void {
  const changes = app.topic('changes', { value: Change, partitions })
  const byAccount = app
    .stream(orders)
    .filter(({ value }) => value.deed !== 'small')
    .groupBy('by-account', ({ value }) => value.account)
  const uses = { source: byAccount, tables: { accounts }, outputs: { changes }, concurrency }
  app.each('account', uses, ({ key, value }, { accounts, changes }) => {
    const total = accounts.update(key, (old) => add(old, value.amount))
    weather.maybeThrow()
    changes.send({ key, value: { account: key, ...total } })
    return concurrency > 1 ? weather.linger() : weather.maybeWait()
  })
}

export function add(old: Total, amount: number): Total {
  return { count: old.count + 1, sum: old.sum + amount }
}
