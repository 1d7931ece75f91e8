// A roll goes on only when the node before is ready again, and stops at whatever else goes down.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodePhase } from './node-state.ts'
import { Roll, type RolledNode, Rolls } from './roll.ts'

type Given = Partial<RolledNode>

function nodes(...given: readonly Given[]): RolledNode[] {
  return given.map((one, id) => ({
    id,
    phase: 'running',
    isUp: true,
    isReady: true,
    starts: 1,
    reason: undefined,
    ...one
  }))
}

const down = (phase: NodePhase, more: Given = {}): Given => ({
  phase,
  isUp: false,
  isReady: false,
  ...more
})
const again: Given = { starts: 2 }

test('each node is restarted when the one before is ready again, and once', () => {
  const roll = new Roll([0, 1], nodes({}, {}))
  assert.deepEqual(roll.look(nodes({}, {})), { kind: 'restart', id: 0 })
  for (const one of [
    // Told, and not yet on its way.
    {},
    down('stopping'),
    down('killed'),
    down('waiting'),
    down('booting', again),
    // It reports, and restores.
    down('running', again),
    { ...again, isReady: false }
  ]) {
    assert.deepEqual(roll.look(nodes(one, {})), { kind: 'wait' }, JSON.stringify(one))
  }
  // The other one has got some of its tables, and restores them.
  assert.deepEqual(roll.look(nodes(again, { isReady: false })), { kind: 'wait' })
  assert.deepEqual(roll.status.done, [])
  assert.deepEqual(roll.look(nodes(again, {})), { kind: 'restart', id: 1 })
  assert.deepEqual(roll.status.done, [0])
  assert.deepEqual(roll.look(nodes(again, down('stopping'))), { kind: 'wait' })
  assert.deepEqual(roll.look(nodes(again, again)), { kind: 'done' })
  assert.deepEqual(roll.look(nodes(again, again)), { kind: 'wait' })
  assert.deepEqual(roll.status, { state: 'done', nodes: [0, 1], done: [0, 1], reason: undefined })
})

const failures: readonly (readonly [what: string, now: readonly RolledNode[], reason: RegExp])[] = [
  [
    'its new process ended',
    nodes(down('waiting', { starts: 2, reason: 'a wrong option' }), {}),
    /^node 0 did not come back: a wrong option$/
  ],
  ['its new process is ill', nodes(down('stopping', again), {}), /^node 0 did not come back$/],
  ['its new process is killed', nodes(down('killed', again), {}), /^node 0 did not come back$/],
  ['it was started twice', nodes({ starts: 3 }, {}), /^node 0 did not come back$/],
  ['another one is ill', nodes(again, down('stopping')), /^node 1 went down as well/],
  ['another one has come back meanwhile', nodes(again, again), /^node 1 went down as well/]
]

for (const [what, now, reason] of failures) {
  test(`it stops when ${what}`, () => {
    const roll = new Roll([0, 1], nodes({}, {}))
    roll.look(nodes({}, {}))
    const step = roll.look(now)
    assert.equal(step.kind, 'fail')
    assert.match(roll.status.reason ?? '', reason)
    assert.equal(roll.status.state, 'failed')
    assert.deepEqual(roll.look(nodes(again, {})), { kind: 'wait' }, 'nothing follows')
  })
}

test('it stops when one that was rolled goes down again', () => {
  const roll = new Roll([0, 1], nodes({}, {}))
  roll.look(nodes({}, {}))
  roll.look(nodes(again, {}))
  assert.equal(roll.look(nodes(down('waiting', again), down('stopping'))).kind, 'fail')
  assert.match(roll.status.reason ?? '', /^node 0 went down as well/)
})

class Said {
  readonly lines: string[] = []
  readonly log = {
    debug: () => undefined,
    info: (_: object, text?: string) => void this.lines.push(`info ${text}`),
    warn: (_: object, text?: string) => void this.lines.push(`warn ${text}`),
    error: (_: object, text?: string) => void this.lines.push(`error ${text}`),
    child: () => this.log
  }
}

test('one begins only where nothing else goes on, and every node is ready', () => {
  const rolls = new Rolls(new Said().log)
  const well = nodes({}, {})
  assert.equal(rolls.begin('quiet', undefined, well), 'the swarm is quiet')
  assert.equal(
    rolls.begin('running', undefined, nodes(down('booting'), down('waiting'))),
    'node 0 and node 1 are not ready, and only one may be down'
  )
  assert.equal(rolls.begin('running', 1, well), undefined)
  assert.deepEqual(rolls.status?.nodes, [1])
  assert.deepEqual(rolls.status?.done, [])
  assert.equal(rolls.begin('running', undefined, well), 'the swarm rolls already')
})

test('a stop ends it, and is told once', () => {
  const said = new Said()
  const rolls = new Rolls(said.log)
  const asked: number[] = []
  rolls.begin('running', undefined, nodes({}, {}))
  rolls.look(nodes({}, {}), (id) => asked.push(id))
  rolls.stop('the swarm stops')
  rolls.stop('the swarm stops')
  rolls.look(nodes(again, {}), (id) => asked.push(id))
  assert.deepEqual(asked, [0])
  assert.deepEqual(rolls.status?.state, 'ended')
  assert.deepEqual(said.lines, [
    'info the swarm rolls: node 0, then 1',
    'warn the roll ends: the swarm stops'
  ])
})
