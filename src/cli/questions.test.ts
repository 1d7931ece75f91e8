// `agents`, `tables` and `topology`: what they print for people, and what for programs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { hopping } from '../core/window.ts'
import { type App, createApp } from '../host/app.ts'
import { agents } from './agents.ts'
import { columns } from './columns.ts'
import type { CommandContext } from './context.ts'
import { tables } from './tables.ts'
import { topology } from './topology.ts'

function shop(): App {
  const app = createApp({ id: 'shop', broker: 'memory:' })
  const orders = app.topic('orders', { key: z.string(), value: z.number(), partitions: 4 })
  const alerts = app.topic('alerts', { key: z.string(), value: z.number() })
  const window = hopping('10m', { every: '1m', grace: '30s' })
  const numbers = { key: z.string(), value: z.number(), initial: () => 0 }
  const spent = app.table('spent', { ...numbers, window })
  const limits = app.table('limits', numbers)
  const say = app.each('say', { source: app.inbox({ value: z.number() }) }, () => {})
  const uses = { tables: { spent }, reads: { limits }, outputs: { alerts, say } }
  app.each('watch', { source: orders, ...uses, help: 'Watches the spending.' }, () => {})
  app.each('limit', { source: orders, tables: { limits } }, () => {})
  app.timer('tick', { every: '30s', onLeader: true }, () => {})
  return app
}

function printed(run: (context: CommandContext) => void, app = shop(), isJson = false): string {
  const lines: string[] = []
  run({ app, isJson, print: (text) => lines.push(text) })
  assert.equal(lines.length, 1, 'an answer is printed at once')
  return lines[0] ?? ''
}

test('agents: what each reads, keeps and sends to', () => {
  assert.equal(
    printed(agents),
    `agent   reads     tables                 sends to
@watch  orders    spent, limits (reads)  alerts, shop-say  Watches the spending.
@limit  orders    limits                 -
@say    shop-say  -                      -`
  )
  const data = JSON.parse(printed(agents, shop(), true)) as { name: string; tables: string[] }[]
  assert.deepEqual(
    data.map(({ name, tables }) => [name, tables]),
    [
      ['watch', ['spent']],
      ['limit', ['limits']],
      ['say', []]
    ]
  )
})

test('tables: the window, the one that writes, the changelog', () => {
  assert.equal(
    printed(tables),
    `table   window                                    written by  changelog
limits  -                                         @limit      shop-limits-changelog
spent   hopping 10m every 1m, grace 30s, kept 1d  @watch      shop-spent-changelog`
  )
})

test('topology: as text, as a drawing, as data', () => {
  const draw = (isMermaid: boolean, isJson = false): string =>
    printed((context) => topology(context, { isMermaid }), shop(), isJson)
  const text = draw(false)
  assert.match(text, /^app shop\n/)
  assert.match(text, /sub-topology orders\+limits\+spent \(4 partitions\)/)
  assert.match(text, /timer +tick, every 30s, on the leader/)
  assert.match(draw(true), /^flowchart LR\n/)
  const data = JSON.parse(draw(true, true)) as { app: string; subTopologies: unknown[] }
  assert.deepEqual([data.app, data.subTopologies.length], ['shop', 2])
})

test('an app that declares nothing is no mistake; one that contradicts itself is', () => {
  const empty = (): App => createApp({ id: 'empty', broker: 'memory:' })
  assert.equal(printed(agents, empty()), 'app "empty" declares no agent')
  assert.equal(printed(tables, empty()), 'app "empty" has no table that an agent uses')
  assert.equal(printed(agents, empty(), true), '[]')
  const wrong = shop()
  wrong.topic('orders')
  const all = [agents, tables, (one: CommandContext) => topology(one, { isMermaid: false })]
  for (const command of all) {
    assert.throws(() => printed(command, wrong), /topic "orders": is declared twice/)
  }
})

test('columns are as wide as their widest cell, with nothing behind the last', () => {
  assert.equal(
    columns([
      ['a', 'bb', ''],
      ['ccc', 'd', 'e'],
      ['f', '', '']
    ]),
    'a    bb\nccc  d   e\nf'
  )
})
