// Which sub-topologies a selection means, and that it never splits one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from '../host/app.ts'
import { fixedProblems, fixedTasks } from './fixed-tasks.ts'
import { select, type Selection } from './selection.ts'
import type { Topology } from './topology.ts'

/**
 * visits → track, audit; visits → by-page → count; orders → bill; clicks → by-user → follow, and
 * nobody else reads clicks.
 */
function shop(): Topology {
  const app = createApp({ id: 'shop' })
  const run = (): Promise<void> => Promise.resolve()
  const visits = app.topic('visits')
  app.agent('track', { source: visits }, run)
  app.agent('audit', { source: visits }, run)
  const byPage = app.stream(visits).groupBy('by-page', () => 'page')
  app.agent('count', { source: byPage }, run)
  app.agent('bill', { source: app.topic('orders') }, run)
  const byUser = app.stream(app.topic('clicks')).groupBy('by-user', () => 'user')
  app.agent('follow', { source: byUser }, run)
  return app.runner.topology()
}

const topology = shop()
const byPage = 'shop-by-page-repartition'
const byUser = 'shop-by-user-repartition'

function names(selection: Selection): string[] {
  const { problems, subTopologies } = select(topology, selection)
  assert.deepEqual(problems, [])
  return [...subTopologies].toSorted()
}

function refused(selection: Selection): string {
  const { problems } = select(topology, selection)
  return problems.map(({ fix, message, path }) => `${path}: ${message}; ${fix ?? ''}`).join('\n')
}

test('nothing said is everything', () => {
  assert.deepEqual(names({}), ['clicks', 'orders', byPage, byUser, 'visits'].toSorted())
})

test('agents of one topic are chosen together, and refused apart', () => {
  assert.deepEqual(names({ includeAgents: ['track', 'audit'] }), ['visits'])
  const said = /agent "track": cannot run without "audit": they work on topic "visits" together/
  assert.match(refused({ includeAgents: ['track'] }), said)
  assert.match(refused({ excludeAgents: ['audit'] }), said)
})

test('what only regroups goes with the agents that it feeds', () => {
  assert.deepEqual(names({ includeAgents: ['follow'] }), ['clicks', byUser])
  assert.deepEqual(names({ includeAgents: ['bill'] }), ['orders'])
})

test('what is filled by another part of the app is named', () => {
  const { fedElsewhere, subTopologies } = select(topology, { includeAgents: ['count'] })
  assert.deepEqual([...subTopologies], [byPage])
  assert.deepEqual(fedElsewhere, [byPage])
  assert.deepEqual(select(topology, { excludeAgents: ['bill'] }).fedElsewhere, [])
})

test('topics choose as agents do, and both must agree', () => {
  assert.deepEqual(names({ includeTopics: ['orders'] }), ['orders'])
  assert.deepEqual(names({ excludeTopics: ['visits', byPage, 'clicks', byUser] }), ['orders'])
  assert.deepEqual(names({ includeAgents: ['bill', 'count'], excludeTopics: [byPage] }), ['orders'])
})

test('an inclusion is stronger than an exclusion of the same name', () => {
  assert.deepEqual(names({ includeAgents: ['bill'], excludeAgents: ['bill', 'count'] }), ['orders'])
})

test('unknown names are refused with the nearest one; so is a selection of nothing', () => {
  assert.match(refused({ includeAgents: ['bil'] }), /agent "bil": is no agent.*"bill"\?/)
  assert.match(refused({ excludeTopics: ['order'] }), /topic "order": is no topic.*"orders"\?/)
  assert.match(
    refused({ includeAgents: ['bill'], excludeTopics: ['orders'] }),
    /leaves no agent to run/
  )
})

test('fixed partitions are tasks by node, named by agent or topic', () => {
  const tasks = fixedTasks(topology, { bill: { 0: [0, 2], 1: [1] }, visits: { 1: [0] } })
  assert.deepEqual(
    [...tasks],
    [
      ['orders/0', 0],
      ['orders/2', 0],
      ['orders/1', 1],
      ['visits/0', 1]
    ]
  )
})

test('two names for the same tasks, and names that are none', () => {
  const parts = {
    topology,
    selected: new Set(['visits', 'orders']),
    nodes: 1,
    partitionsOf: () => 1
  }
  const said = (fixed: Parameters<typeof fixedTasks>[1]): string =>
    fixedProblems({ ...parts, fixed })
      .map(({ message, path }) => `${path} ${message}`)
      .join('\n')
  assert.match(said({ track: { 0: [0] }, visits: { 0: [0] } }), /visits and "track" name the same/)
  assert.match(said({ tarck: { 0: [0] } }), /tarck is no agent .* did you mean "track"\?/)
  assert.equal(said({ visits: { 0: [0] } }), '')
})
