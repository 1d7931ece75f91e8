// Type test: what is inferred along the way from topic to table and sink, and what is refused.
import {
  binary,
  createApp,
  type Duration,
  deadLetter,
  type Event,
  hopping,
  json,
  type Pane,
  pipe,
  raw,
  type Stream,
  retry,
  skip,
  stop,
  tumbling
} from 'tailrace'
import * as v from 'valibot'
import { z } from 'zod'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function same<A, B>(...no: Same<A, B> extends true ? [] : ['they differ', A, B]): void

const app = createApp({ id: 'inference' })
const Payment = z.object({ account: z.string(), amount: z.number(), tags: z.array(z.string()) })
const payments = app.topic('payments', { key: z.string(), value: Payment })
const totals = app.table('totals', { key: z.string(), value: z.number(), initial: () => 0 })
const latest = app.table('latest', { key: z.string(), value: Payment })
const spent = app.table('spent', {
  key: z.string(),
  value: z.number(),
  initial: () => 0,
  window: hopping('10m', { every: '1m', grace: '30s' })
})
const Alert = v.object({ why: v.string(), level: v.optional(v.number(), 1) })
const alerts = app.topic('alerts', { key: z.string(), value: Alert })
const untyped = app.topic('untyped')

// Durations
const good: readonly Duration[] = ['10s', '250ms', '1.5m', 100]
void good
// @ts-expect-error no such unit
const bad: Duration = '1minute'
void bad
// @ts-expect-error a text without a unit
tumbling('10')
// @ts-expect-error hopping windows need `every`
hopping('10m', { grace: '1m' })

// Topics: keys and values
await payments.send({ key: 'k', value: { account: 'a', amount: 1, tags: [] } })
// @ts-expect-error the key is needed
await payments.send({ value: { account: 'a', amount: 1, tags: [] } })
// @ts-expect-error a number is no key of this topic
await payments.send({ key: 1, value: { account: 'a', amount: 1, tags: [] } })
// @ts-expect-error amount is missing
await payments.send({ key: 'k', value: { account: 'a', tags: [] } })
await alerts.send({ key: 'k', value: { why: 'level has a default, so it may be left out' } })
await untyped.send({ value: { anything: 'goes' } })
await untyped.send({ key: null, value: 1 })
// @ts-expect-error keys are text or null where there is no key schema
await untyped.send({ key: 1, value: 1 })

// @ts-expect-error did you mean partitions?
app.topic('typo', { value: Payment, partitons: 3 })
// @ts-expect-error a codec, and not its name
app.topic('named', { value: Payment, codec: 'json' })
const bytes = app.topic('bytes', { value: z.instanceof(Uint8Array), codec: pipe(raw, binary) })
await bytes.send({ value: new Uint8Array(1), headers: { trace: 'a', more: new Uint8Array(1) } })
// @ts-expect-error a header is text or bytes
await bytes.send({ value: new Uint8Array(1), headers: { count: 1 } })
// @ts-expect-error an inbox takes its keys as they come
app.inbox({ key: z.string(), value: Payment })

// Streams
const stream = app.stream(payments)
same<typeof stream, Stream<string, z.output<typeof Payment>>>()
const amounts = stream.map((e) => e.value.amount).filter((e) => e.value > 0)
same<typeof amounts, Stream<string, number>>()
const large = amounts.tap((e) => e.offset + 1n)
const grouped = large.groupBy('by-size', (e) => e.value > 100, { codec: json })
same<typeof grouped, Stream<boolean, number>>()
const merged = stream.merge(payments, app.stream(payments))
same<typeof merged, typeof stream>()
// @ts-expect-error other values do not merge
stream.merge(alerts)
type One = z.output<typeof Payment> & { amount: 1 }
const small = merged.filter((e): e is Event<string, One> => {
  return e.value.amount === 1
})
small.map((e): 1 => e.value.amount)
const bySize = stream.groupBy('by-amount', (e) => e.value.amount, { key: z.number(), codec: json })
same<typeof bySize, Stream<number, z.output<typeof Payment>>>()
// @ts-expect-error the key that is made is no text
stream.groupBy('by-account', (e) => e.value.amount, { key: z.string() })
// @ts-expect-error the codec of keys writes strings, and no other is named
stream.groupBy('by-amount', (e) => e.value.amount)
// @ts-expect-error nor where the key has a schema
stream.groupBy('by-amount', (e) => e.value.amount, { key: z.number() })
// @ts-expect-error did you mean account?
stream.groupBy('typo', (e) => e.value.acount)

// Agents: tables, frozen values, outputs
app.agent(
  'all-parts',
  { source: payments, tables: { totals, spent }, reads: { latest }, outputs: { alerts } },
  async (events, { alerts, latest, spent, totals }, { partition, signal, log }) => {
    same<typeof partition, number>()
    for await (const event of events) {
      signal.throwIfAborted()
      log.info({ offset: Number(event.offset) }, 'seen')
      same<typeof event.key, string>()
      // @ts-expect-error values are frozen
      event.value.amount = 2
      // @ts-expect-error at every depth
      event.value.tags.push('x')
      const total = totals.update(event.key, (n) => n + event.value.amount)
      same<typeof total, number>()
      // @ts-expect-error the table holds numbers
      totals.update(event.key, () => 'x')
      // @ts-expect-error and has text for keys
      totals.update(1, (n) => n)
      // @ts-expect-error a plain table has no windows
      totals.at(event)
      const panes = spent.at(event).update(event.key, (n) => n + 1)
      same<typeof panes, readonly Pane<number>[]>()
      // @ts-expect-error a windowed table is written at a moment
      spent.update(event.key, (n: number) => n)
      latest.get(event.key)?.tags.at(0)
      // @ts-expect-error it may be undefined: the table has no initial value
      latest.get(event.key).tags.at(0)
      // @ts-expect-error a table under `reads` is not written
      latest.set(event.key, event.value)
      alerts.send({ key: event.key, value: { why: 'spend' } })
      // @ts-expect-error an alert says why
      alerts.send({ key: event.key, value: {} })
    }
  }
)

app.agent('without-parts', { source: payments }, async (events, parts) => {
  for await (const event of events) {
    // @ts-expect-error no table was named
    parts.totals.update(event.key, (n: number) => n)
  }
})

app.agent(
  'not-a-table',
  {
    source: payments,
    // @ts-expect-error a topic is no table
    tables: { alerts }
  },
  async () => {}
)

// Sinks
const warns = app.agent('warns', { source: payments }, async function* (events) {
  for await (const event of events) yield { why: event.value.account }
})
warns.sink(alerts, (reply, event) => reply.why.length + event.key.length)
const counts = app.agent('counts', { source: payments }, async function* (events) {
  for await (const event of events) yield event.value.amount
})
// @ts-expect-error a number is no alert
counts.sink(alerts)
const byNumber = app.topic('by-number', { key: z.number(), value: Alert })
// @ts-expect-error the keys differ
warns.sink(byNumber)

// Each
const each = app.each(
  'each',
  { source: payments, tables: { latest }, timeout: '10s', concurrency: 1 },
  (event, { latest }) => {
    latest.set(event.key, event.value)
    return event.value.amount
  }
)
each.sink((reply) => reply.toFixed())
await each.send({ key: 'k', value: { account: 'a', amount: 1, tags: [] } })
app.each('parallel', { source: payments, concurrency: 8, order: 'none' }, () => {})
const sized = app.each(
  'sized',
  { source: payments, tables: { latest }, concurrency: 8, order: 'key', timeout: '30s' },
  async (event, { latest }, { signal }) => {
    same<typeof signal, AbortSignal>()
    latest.set(event.key, event.value)
    return event.value.amount
  }
)
sized.sink((reply) => reply.toFixed())
// @ts-expect-error an order is by key, or none
app.each('any', { source: payments, concurrency: 8, order: 'any' }, () => {})
// @ts-expect-error a count is a number
app.each('text', { source: payments, concurrency: '8' }, () => {})
// @ts-expect-error a loop works on one event at a time
app.agent('wide', { source: payments, concurrency: 8 }, async () => {})
// @ts-expect-error only a function for each event has a timeout
app.agent('late', { source: payments, timeout: '1s' }, async () => {})
// @ts-expect-error did you mean source?
app.each('typo', { sorce: payments }, () => {})

// Errors
app.agent(
  'careful',
  {
    source: payments,
    onError: (failure) =>
      failure.stage === 'decode'
        ? deadLetter(untyped)
        : failure.error instanceof RangeError
          ? skip
          : failure.event?.value.account === 'x'
            ? stop
            : retry({ times: 3, backoff: '200ms', otherwise: deadLetter() })
  },
  async (events) => {
    for await (const _ of events) events.stop()
  }
)
// @ts-expect-error a policy is made by retry, deadLetter, skip or stop
app.agent('careless', { source: payments, onError: 'retry' }, async () => {})

// Queries
const total = await totals.query('k')
same<typeof total.value, number>()
const one = await latest.query('k')
// @ts-expect-error it may be undefined
one.value.tags.at(0)
const panes = await spent.query('k', { from: new Date(0) })
same<typeof panes.value, readonly Pane<number>[]>()
// @ts-expect-error a plain table has no range
await totals.query('k', { from: 0 })
for await (const [key, value] of totals.scan({ limit: 10 })) {
  same<typeof key, string>()
  same<typeof value, number>()
}
same<Awaited<ReturnType<typeof spent.query>>['asOf'], number>()
// @ts-expect-error the initial value must be a value
app.table('wrong', { key: z.string(), value: z.number(), initial: () => 'x' })
// @ts-expect-error did you mean window?
app.table('typo', { key: z.string(), value: z.number(), windw: tumbling('1m') })
// @ts-expect-error a table needs schemas
app.table('bare', { key: z.string() })

// Timers and tasks
app.timer('tick', { every: '1s', onLeader: true, immediate: true }, async ({ signal }) => {
  same<typeof signal, AbortSignal>()
})
// @ts-expect-error a timer has an interval
app.timer('tick', {}, () => {})
// @ts-expect-error did you mean onLeader?
app.task('once', { onLeadr: true }, () => {})
same<typeof app.isLeader, boolean>()
same<typeof app.leaderEpoch, number | undefined>()

// Apps and workers
// @ts-expect-error did you mean broker?
createApp({ id: 'x', borker: 'memory:' })
// @ts-expect-error an app has a name
createApp({})
await using worker = await app.start({ signals: false, web: false })
same<typeof worker.url, string | undefined>()
// @ts-expect-error did you mean web?
await app.start({ wbe: false })
