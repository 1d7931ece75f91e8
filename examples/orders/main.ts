// Orders counted by account: the stream is grouped by another key than it came with.
import { createApp } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'orders' })

const Order = z.object({ accountId: z.string(), product: z.string(), amount: z.int().positive() })
const orders = app.topic('orders', { value: Order })
const orderCount = app.table('order_count', {
  key: z.string(),
  value: z.int(),
  initial: () => 0
})

// Orders arrive without a key, so any partition may have them; this brings those of one account
// together, through a topic of its own.
const byAccount = app.stream(orders).groupBy('by-account', (order) => order.value.accountId)

app.agent(
  'count-orders',
  { source: byAccount, tables: { orderCount } },
  async (orders, { orderCount }) => {
    for await (const order of orders) {
      const count = orderCount.update(order.key, (count) => count + 1)
      console.log(`${order.key} ordered ${order.value.product}: order ${count}`)
    }
  }
)

const accounts = ['ann', 'bob', 'cyd']
let number = 0
app.timer('shop', { every: '250ms', onLeader: true }, async () => {
  const accountId = accounts[number++ % accounts.length] ?? 'ann'
  await orders.send({ value: { accountId, product: 'tea', amount: 1 } })
})

app.web.get('/orders/:account', async (c) => {
  const count = await orderCount.query(c.req.param('account'))
  return c.json({ account: c.req.param('account'), orders: count.value })
})

if (import.meta.main) await app.main()
