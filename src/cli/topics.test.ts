// `topics`: what would be created, what is there, and what is there otherwise.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type App, createApp } from '../host/app.ts'
import type { Transport } from '../port/transport.ts'
import { MemoryBroker } from '../transport/memory/broker.ts'
import { createMemoryTransport } from '../transport/memory/index.ts'
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

/** A log of this process that says that several servers keep it. */
function replicated(right: Transport): Transport {
  const features = { ...right.features, replicationDefault: -1 }
  return new Proxy(right, {
    get(target, name) {
      if (name === 'features') return features
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

test('internal topics have as many copies as asked, on a log of several servers', async () => {
  let broker: MemoryBroker | undefined
  const app = (replicationFactor: number, hasServers: boolean): App => {
    const made = createApp({
      id: 'shop',
      broker: 'own:',
      deadLetter: 'dead',
      replicationFactor,
      transport: ({ clock }) => {
        broker ??= new MemoryBroker({ clock })
        const transport = createMemoryTransport(broker)
        return hasServers ? replicated(transport) : transport
      }
    })
    const orders = made.topic('orders', { value: z.string(), partitions: 1, replication: 1 })
    const table = made.table('sums', { key: z.string(), value: z.number(), initial: () => 0 })
    const words = made.stream(orders).groupBy('by-word', ({ value }) => value)
    made.each('sum', { source: words, tables: { table } }, () => {})
    return made
  }
  const copies = (text: string): readonly string[] =>
    text.split('\n').map((line) => line.split(/ {2,}/)[3] ?? '')
  const one = await printed(app(2, false), true)
  assert.deepEqual(copies(one), ['replication', '1', '1', '1', '1'], one)
  const two = await printed(app(2, true), true)
  assert.deepEqual(copies(two), ['replication', '1', '2', '2', '2'], two)
  const worker = await app(2, true).start({ store: 'memory', signals: false, web: false })
  await worker.stop()
  assert.equal(await printed(app(2, true), true), 'nothing would be created, and nothing differs')
  assert.equal(await printed(app(-1, true), true), 'nothing would be created, and nothing differs')
  const three = JSON.parse(await printed(app(3, true), true, true)) as {
    topics: { name: string; differences: unknown[] }[]
  }
  const differences = [{ setting: 'replication', has: '2', wanted: '3' }]
  assert.deepEqual(
    three.topics.map(({ name, differences }) => [name, differences]),
    [
      ['shop-by-word-repartition', differences],
      ['shop-sums-changelog', differences],
      ['dead', differences]
    ]
  )
})
