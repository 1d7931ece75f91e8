// Type test: an inbox, a timer on the leader, and an agent that yields nothing is not asked.
import { createApp } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'leader-example' })
const say = app.agent('say', { source: app.inbox({ value: z.string() }) }, async (greetings) => {
  for await (const g of greetings.values()) process.stdout.write(g.toUpperCase())
})
app.timer('publish-greetings', { every: '2s', onLeader: true }, async () => {
  await say.send({ value: String(Math.random()) })
})

// @ts-expect-error nothing is yielded, so nothing can be asked
await say.ask('x')
// @ts-expect-error the inbox takes text
await say.send({ value: 1 })
