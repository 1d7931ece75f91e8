// The topology as data, as lines and as a drawing: the same parts in each.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { AppDeclaration } from './declare.ts'
import { declarationOf, streamHandle } from './stream.ts'
import { buildTopology, type Topology } from './topology.ts'
import { planPartitions } from './topology-partitions.ts'
import { topologyMermaid, topologyText, viewTopology } from './topology-render.ts'
import { hopping } from './window.ts'

function shop(): Topology {
  const app = new AppDeclaration({
    id: 'shop',
    codec: undefined,
    deadLetter: 'shop-dead',
    onError: undefined
  })
  const orders = app.topic('orders', { partitions: 2 })
  const alerts = app.topic('alerts', {})
  const spent = app.table('spent', {
    key: z.string(),
    value: z.number(),
    window: hopping('10m', { every: '1m', grace: '30s' })
  })
  const limits = app.table('limits', { key: z.string(), value: z.number() })
  const source = declarationOf({ kind: 'topic', name: 'orders', declaration: orders })
  const byAccount = streamHandle<string, number>(source, app)
    .filter((event) => event.value > 0)
    .groupBy('by-account', () => 'a')
  const body = {
    kind: 'each',
    run: () => undefined,
    timeoutMs: undefined,
    concurrency: 1,
    order: 'key'
  } as const
  const none = { tables: {}, reads: {}, outputs: {}, onError: undefined, help: undefined }
  const uses = { tables: { spent }, reads: { limits }, outputs: { alerts } }
  app.agent('watch', { ...none, ...uses, source: byAccount.declaration, help: 'Watches.' }, body)
  const settings = app.inbox({})
  const inbox = declarationOf({ kind: 'topic', name: '', declaration: settings })
  app.agent('set-limit', { ...none, source: inbox, tables: { limits } }, body)
  const run = (): void => undefined
  app.timer({ name: 'tick', everyMs: 30_000, onLeader: true, immediate: false, run })
  app.task({ name: 'warm', onLeader: false, run })
  return buildTopology(app.declarations())
}

test('as text: in the order in which events go, with counts where they are decided', () => {
  const topology = shop()
  const text = topologyText(viewTopology(topology, planPartitions(topology, new Map())))
  assert.equal(
    text,
    `app shop

sub-topology orders (2 partitions)
  source       orders
  group        by-account: from orders > filter; to shop-by-account-repartition

sub-topology shop-by-account-repartition+shop-set-limit+limits+spent (2 partitions)
  source       shop-by-account-repartition
  source       shop-set-limit
  agent        watch: from shop-by-account-repartition; writes spent; reads limits; to alerts
  agent        set-limit: from shop-set-limit; writes limits
  table        limits, kept in shop-limits-changelog
  table        spent (hopping 10m every 1m, grace 30s, kept 1d), kept in shop-spent-changelog

besides
  topic        alerts (8 partitions)
  timer        tick, every 30s, on the leader
  task         warm
  dead letters shop-dead`
  )
})

test('without a plan only declared counts are there', () => {
  const view = viewTopology(shop())
  assert.deepEqual(
    view.topics.map((topic) => [topic.name, topic.partitions]),
    [
      ['orders', 2],
      ['alerts', undefined],
      ['shop-by-account-repartition', undefined],
      ['shop-set-limit', undefined]
    ]
  )
  assert.match(topologyText(view), /^sub-topology orders$/m)
})

test('as data it goes through JSON unchanged', () => {
  const view = viewTopology(shop())
  const again: unknown = JSON.parse(JSON.stringify(view))
  assert.equal(JSON.stringify(again), JSON.stringify(view))
  const [, second] = view.subTopologies
  assert.deepEqual(second?.processors[0], {
    kind: 'agent',
    name: 'watch',
    help: 'Watches.',
    inlets: [{ topic: 'shop-by-account-repartition', steps: [] }],
    tables: ['spent'],
    reads: ['limits'],
    outputs: ['alerts']
  })
})

test('as a drawing: every part once, every connection with its direction', () => {
  const lines = topologyMermaid(viewTopology(shop())).split('\n')
  assert.equal(lines[0], 'flowchart LR')
  const ids = new Map(
    lines.flatMap((line) => {
      const match = /^ +(n\d+)[[(/"]+([^"]+)"/.exec(line)
      return match === null ? [] : [[match[2] ?? '', match[1] ?? ''] as const]
    })
  )
  const id = (name: string): string => ids.get(name) ?? assert.fail(`${name} is not drawn`)
  const edges = [
    `${id('orders × 2')} -->|filter| ${id('by-account')}`,
    `${id('by-account')} --> ${id('shop-by-account-repartition')}`,
    `${id('shop-by-account-repartition')} --> ${id('watch')}`,
    `${id('watch')} <--> ${id('spent')}`,
    `${id('limits')} -.-> ${id('watch')}`,
    `${id('watch')} --> ${id('alerts')}`,
    `${id('set-limit')} <--> ${id('limits')}`
  ]
  for (const edge of edges) assert.ok(lines.includes(`  ${edge}`), edge)
  const boxes = lines.filter((line) => line.startsWith('  subgraph')).length
  assert.equal(boxes, lines.filter((line) => line === '  end').length)
  assert.equal(new Set(ids.values()).size, ids.size)
})

test('an app that declares nothing is still drawn', () => {
  const app = new AppDeclaration({
    id: 'empty',
    codec: undefined,
    deadLetter: undefined,
    onError: undefined
  })
  const view = viewTopology(buildTopology(app.declarations()))
  assert.equal(topologyText(view), 'app empty')
  assert.equal(topologyMermaid(view), 'flowchart LR')
})
