// `topics`: what would be created, what is there, and what is there otherwise.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type App, createApp } from '../host/app.ts'
import { topics } from './topics.ts'

// Both apps of a test meet on a log of this process.
function shop(log: string, retention: '1d' | '2d', partitions: number): App {
  const app = createApp({ id: 'shop', broker: `memory:${log}` })
  const orders = app.topic('orders', { value: z.number(), partitions, retention })
  app.topic('alerts', { value: z.number(), config: { 'segment.ms': retention } })
  const table = app.table('sums', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('sum', { source: orders, tables: { table } }, () => {})
  return app
}

async function printed(app: App, isPlan: boolean, isJson = false): Promise<string> {
  const lines: string[] = []
  await topics({ app, isJson, print: (text) => lines.push(text) }, { isPlan })
  return lines.join('\n')
}

test('what a start would create, and nothing when it is there', async () => {
  const app = shop('new', '1d', 4)
  assert.equal(
    await printed(app, true),
    `topic                state             partitions  replication  cleanup
orders               would be created  4           1            delete
alerts               would be created  8           1            delete
shop-sums-changelog  would be created  4           1            compact`
  )
  const worker = await app.start({ store: 'memory', signals: false, web: false })
  await worker.stop()
  assert.equal(await printed(app, true), 'nothing would be created, and nothing differs')
  assert.match(await printed(app, false), /^orders +as planned +4 +1 +delete$/m)
})

test('what differs is said, and whether a worker would start', async () => {
  const before = shop('old', '1d', 4)
  const worker = await before.start({ store: 'memory', signals: false, web: false })
  await worker.stop()
  const text = await printed(shop('old', '2d', 6), true)
  assert.match(text, /orders +differs: retention in ms 86400000, not 172800000/)
  assert.match(text, /alerts +differs: segment.ms 1d, not 2d/)
  assert.match(text, /a worker would not start: topic "orders"/)
  const data = JSON.parse(await printed(shop('old', '2d', 4), true, true)) as {
    topics: { name: string; state: string }[]
    problems: unknown[]
  }
  assert.deepEqual(
    data.topics.map(({ name, state }) => [name, state]),
    [
      ['orders', 'differs'],
      ['alerts', 'differs']
    ]
  )
  assert.deepEqual(data.problems, [])
})
