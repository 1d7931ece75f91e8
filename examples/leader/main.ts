// One of the workers leads and sends greetings; any of them prints each.
import { createApp, raw } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'leader-example', codec: raw })

const say = app.agent(
  'say',
  { source: app.inbox({ value: z.instanceof(Uint8Array) }) },
  async (greetings) => {
    for await (const greeting of greetings.values()) {
      console.log(`heard ${new TextDecoder().decode(greeting)}`)
    }
  }
)

app.timer('publish-greetings', { every: '2s', onLeader: true }, async () => {
  const greeting = `greeting ${Math.random()}`
  console.log(`leader since generation ${app.leaderEpoch} says ${greeting}`)
  await say.send({ value: new TextEncoder().encode(greeting) })
})

if (import.meta.main) await app.main()
