// What the simulator runs: every kind of step whose results an oracle can compute.
import { createApp, retry, tumbling } from 'tailrace'
import type { App, Table, Topic, Window } from 'tailrace'
import { z } from 'zod'

export const partitions = 4
export const windowMs = 1_000
export const graceMs = 500

const Order = z.object({ id: z.number(), account: z.string(), amount: z.number() })
const Total = z.object({ count: z.number(), sum: z.number() })
const Audit = z.object({ id: z.number(), count: z.number() })
const Change = z.object({ account: z.string(), count: z.number(), sum: z.number() })

export type Order = z.infer<typeof Order>
export type Total = z.infer<typeof Total>
export type Audit = z.infer<typeof Audit>
export type Change = z.infer<typeof Change>

/** What happens to an event on its way: drawn by the seed, anew at each try. */
export interface Weather {
  /** Throws now and then. */
  maybeThrow(): void
  /** Takes its time now and then. */
  maybeWait(): Promise<void> | undefined
}

export interface SimulatedApp {
  readonly app: App
  readonly orders: Topic<string | null, Order, string | null, Order>
  readonly audit: Topic<string | null, Audit, string | null, Audit>
  readonly changes: Topic<string | null, Change, string | null, Change>
  readonly final: Topic<string | null, Audit, string | null, Audit>
  readonly dead: { readonly name: string }
  readonly totals: Table<string, Total, Total, undefined>
  readonly accounts: Table<string, Total, Total, undefined>
  readonly counts: Table<string, number, number, Window<'one'>>
}

const nothing = (): Total => ({ count: 0, sum: 0 })
// Faults of the weather pass: every event gets through in the end.
const stubborn = retry({ times: 1_000, backoff: 20, max: 200 })

export function simulatedApp(weather: Weather): SimulatedApp {
  const app = createApp({ id: 'sim', broker: 'memory:', deadLetter: 'dead', onError: stubborn })
  const orders = app.topic('orders', { value: Order, partitions })
  const audit = app.topic('audit', { value: Audit, partitions })
  const changes = app.topic('changes', { value: Change, partitions })
  const final = app.topic('final', { value: Audit, partitions })
  const totals = app.table('totals', { key: z.string(), value: Total, initial: nothing })
  const accounts = app.table('accounts', { key: z.string(), value: Total, initial: nothing })
  const window = tumbling(windowMs, { grace: graceMs })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: zero, window })

  const uses = { source: orders, tables: { totals }, outputs: { audit } }
  app.agent('total', uses, async (events, { audit, totals }) => {
    for await (const { key, value } of events) {
      if (key === null) continue
      const total = totals.update(key, (old) => add(old, value.amount))
      weather.maybeThrow()
      await weather.maybeWait()
      audit.send({ key, value: { id: value.id, count: total.count } })
      weather.maybeThrow()
    }
  })
  app.each('count', { source: orders, tables: { counts } }, (event, { counts }) => {
    if (event.key !== null) counts.at(event).update(event.key, (count) => count + 1)
    weather.maybeThrow()
    return weather.maybeWait()
  })
  const byAccount = app.stream(orders).groupBy('by-account', ({ value }) => value.account)
  const groupUses = { source: byAccount, tables: { accounts }, outputs: { changes } }
  app.each('account', groupUses, ({ key, value }, { accounts, changes }) => {
    const total = accounts.update(key, (old) => add(old, value.amount))
    weather.maybeThrow()
    changes.send({ key, value: { account: key, ...total } })
  })
  app
    .agent('relay', { source: audit }, async function* (events) {
      for await (const event of events) {
        await weather.maybeWait()
        yield event.value
        weather.maybeThrow()
      }
    })
    .sink(final)
  return { app, orders, audit, changes, final, dead: { name: 'dead' }, totals, accounts, counts }
}

export function add(old: Total, amount: number): Total {
  return { count: old.count + 1, sum: old.sum + amount }
}

function zero(): number {
  return 0
}
