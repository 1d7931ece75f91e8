// Type test: branded keys, what a schema takes and gives, and a table without an initial value.
import { createApp } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'hello-app', broker: 'kafka://localhost:9092' })
const AccountId = z.string().brand<'AccountId'>()
const Order = z.object({
  accountId: AccountId,
  productId: z.string(),
  amount: z.number().int(),
  price: z.number(),
  at: z.coerce.date<string>()
})
const orders = app.topic('orders', { value: Order })
const orderCount = app.table('order_count', {
  key: AccountId,
  value: z.number().int(),
  initial: () => 0
})
const last = app.table('last', { key: AccountId, value: Order })
export const counter = app.agent(
  'count-orders',
  {
    source: app.stream(orders).groupBy('by-account', (e) => e.value.accountId),
    tables: { orderCount, last }
  },
  async function* (events, { orderCount, last }) {
    for await (const e of events) {
      const prev = last.get(e.key)
      prev?.amount.toFixed()
      // @ts-expect-error there may be no last order
      prev.amount.toFixed()
      last.set(e.key, e.value)
      yield orderCount.update(e.key, (n) => n + 1)
    }
  }
)

await orders.send({
  key: null,
  value: { accountId: AccountId.parse('a'), productId: 'p', amount: 1, price: 2, at: '2026-01-01' }
})
await orders.send({
  key: null,
  value: {
    accountId: AccountId.parse('a'),
    productId: 'p',
    amount: 1,
    price: 2,
    // @ts-expect-error what is sent is what the schema takes, not what it gives
    at: new Date()
  }
})

const a = await orderCount.query(AccountId.parse('a'))
a.value.toFixed()
// @ts-expect-error a plain text is no AccountId
await orderCount.query('a')

app.agent('wrong', { source: orders, tables: { orderCount } }, async (events, { orderCount }) => {
  for await (const e of events) {
    // @ts-expect-error key of `orders` is string | null, table wants AccountId
    orderCount.update(e.key, (n) => n + 1)
  }
})
// @ts-expect-error ask on a derived source: no input topic of its own
await counter.ask({ accountId: 'a' })
// @ts-expect-error and nothing can be sent to it either
await counter.send({ value: { accountId: 'a' } })
