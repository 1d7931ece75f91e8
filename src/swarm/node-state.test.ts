// Every rule of a node's life under a time of the test's own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type NodeAction, type NodeInput, NodeState, type NodeTimes } from './node-state.ts'

const times: NodeTimes = {
  bootTimeoutMs: 60_000,
  healthTimeoutMs: 60_000,
  shutdownTimeoutMs: 60_000,
  restartDelayMs: 5_000,
  restartDelayMaxMs: 60_000,
  maxRestarts: 10,
  restartWindowMs: 600_000
}

const tick: NodeInput = { kind: 'tick' }
const well: NodeInput = { kind: 'report', code: 0 }
const crash: NodeInput = { kind: 'exited', code: 1, signal: null }
const killed: NodeInput = { kind: 'exited', code: null, signal: 'SIGKILL' }
const stop: NodeInput = { kind: 'stop', isCold: false, reason: 'SIGTERM' }

class Life {
  readonly node: NodeState
  now = 1_000

  constructor(changed: Partial<NodeTimes> = {}) {
    this.node = new NodeState({ ...times, ...changed }, this.now)
  }

  /** What it does at once. */
  take(input: NodeInput): readonly NodeAction[] {
    return this.node.take(input, this.now)
  }

  kinds(input: NodeInput): readonly string[] {
    return this.take(input).map(({ kind }) => kind)
  }

  /** Lets time pass to where it is due, which must be so far away. */
  due(afterMs: number): readonly NodeAction[] {
    assert.equal(this.node.dueMs - this.now, afterMs)
    this.now += afterMs - 1
    assert.deepEqual(this.take(tick), [], 'not before it is due')
    this.now++
    return this.take(tick)
  }

  running(): this {
    assert.deepEqual(this.take(tick), [{ kind: 'start' }])
    assert.deepEqual(this.take(well), [])
    assert.deepEqual(this.take({ kind: 'ready' }), [])
    return this
  }
}

function delayOf(actions: readonly NodeAction[]): number {
  const [only] = actions
  assert.ok(actions.length === 1 && only?.kind === 'restart-in', JSON.stringify(actions))
  return only.delayMs
}

test('it is started at once; booted, running and ready are told apart', () => {
  const life = new Life()
  assert.equal(life.node.phase, 'waiting')
  assert.deepEqual(life.kinds(tick), ['start'])
  assert.equal(life.node.phase, 'booting')
  life.take(well)
  assert.equal(life.node.phase, 'running')
  assert.equal(life.node.isReady, false)
  life.take({ kind: 'ready' })
  assert.equal(life.node.isReady, true)
})

test('without a first report within bootTimeout it is stopped, with status -1', () => {
  const life = new Life({ bootTimeoutMs: 7_000 })
  life.take(tick)
  const [action] = life.due(7_000)
  assert.ok(action?.kind === 'terminate' && action.status === -1, JSON.stringify(action))
  assert.match(action.reason, /bootTimeout, 7s/)
})

test('a report counts as a sign of life; silence for healthTimeout stops it with status -1', () => {
  const life = new Life().running()
  life.now += 59_999
  assert.deepEqual(life.take(tick), [])
  life.take(well)
  const [action] = life.due(60_000)
  assert.ok(action?.kind === 'terminate' && action.status === -1)
  assert.equal(life.node.phase, 'stopping')
})

test('one bad report is final, and says its code', () => {
  const life = new Life().running()
  const [action] = life.take({ kind: 'report', code: 3, reason: 'it has too much' })
  assert.deepEqual(action, {
    kind: 'terminate',
    status: 3,
    reason: 'it has too much',
    isCold: false
  })
  assert.deepEqual(life.take(well), [], 'that it is well again changes nothing')
  assert.equal(life.node.phase, 'stopping')
})

test('a bad report while it boots is one too', () => {
  const life = new Life()
  life.take(tick)
  assert.deepEqual(life.kinds({ kind: 'report', code: 6 }), ['terminate'])
})

test('what does not stop within shutdownTimeout is killed, once; nothing else is checked', () => {
  const life = new Life().running()
  life.take({ kind: 'report', code: 2 })
  assert.deepEqual(
    life.due(60_000).map(({ kind }) => kind),
    ['kill']
  )
  assert.equal(life.node.dueMs, Infinity)
  life.now += 1_000_000
  assert.deepEqual(life.take(tick), [])
  assert.equal(delayOf(life.take(killed)), 5_000)
})

test('every end is followed by a start, code 0 too', () => {
  for (const end of [crash, killed, { kind: 'exited', code: 0, signal: null } as const]) {
    const life = new Life().running()
    assert.equal(delayOf(life.take(end)), 5_000)
    assert.deepEqual(
      life.due(5_000).map(({ kind }) => kind),
      ['start']
    )
  }
})

test('delays double up to their limit while it goes on ending', () => {
  const life = new Life()
  const delays: number[] = []
  for (let round = 0; round < 6; round++) {
    life.take(tick)
    const delayMs = delayOf(life.take(crash))
    delays.push(delayMs)
    life.now += delayMs
  }
  assert.deepEqual(delays, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
})

test('the delay begins anew when it was ready for restartDelayMax', () => {
  const life = new Life()
  for (const delayMs of [5_000, 10_000]) {
    life.running()
    assert.equal(delayOf(life.take(crash)), delayMs)
    life.now += delayMs
  }
  life.running()
  life.now += 59_999
  assert.equal(delayOf(life.take(crash)), 20_000, 'not yet')
  life.now += 20_000
  life.running()
  life.now += 60_000
  assert.equal(delayOf(life.take(crash)), 5_000)
})

test('more than maxRestarts within the window are given up, with what it said last', () => {
  const life = new Life({ maxRestarts: 2 })
  for (const delayMs of [5_000, 10_000]) {
    life.take(tick)
    assert.equal(delayOf(life.take(crash)), delayMs)
    life.now += delayMs
  }
  life.take(tick)
  life.take({ kind: 'failed', code: 'TAILRACE_STATE_FULL', message: 'the disk is full' })
  const [action] = life.take(crash)
  assert.ok(action?.kind === 'give-up')
  assert.match(action.reason, /again after 2 restarts within 10m: the disk is full/)
  assert.equal(action.isUsage, false)
  assert.equal(life.node.phase, 'ended')
})

test('restarts that are older than the window do not count', () => {
  const life = new Life({ maxRestarts: 1, restartWindowMs: 100_000 })
  for (let round = 0; round < 5; round++) {
    life.running()
    life.now += 200_000
    life.take(well)
    assert.equal(delayOf(life.take(crash)), 5_000)
    life.now += 5_000
  }
})

test('a slow crash loop is given up too, though its ends never fall into the window', () => {
  const life = new Life()
  for (let round = 0; round < times.maxRestarts; round++) {
    life.take(tick)
    life.now += times.bootTimeoutMs
    assert.deepEqual(life.kinds(tick), ['terminate'])
    life.now += delayOf(life.take(killed))
  }
  assert.ok(life.node.restarts < times.maxRestarts, 'the window alone would try for ever')
  life.take(tick)
  const [action] = life.take(killed)
  assert.ok(action?.kind === 'give-up', JSON.stringify(action))
  assert.match(action.reason, /again after 10 restarts in a row, never ready for 1m/)
  assert.equal(life.node.phase, 'ended')
})

test('ends in a row count from when it was ready for restartDelayMax', () => {
  const life = new Life({ maxRestarts: 2, restartWindowMs: 60_000 })
  for (let round = 0; round < 5; round++) {
    life.running()
    life.now += 60_000
    life.take(well)
    assert.equal(delayOf(life.take(crash)), 5_000)
    life.now += 5_000
    life.take(tick)
    assert.equal(delayOf(life.take(crash)), 10_000)
    life.now += 10_000
  }
})

test('no restart at all where maxRestarts is 0', () => {
  assert.deepEqual(new Life({ maxRestarts: 0 }).running().kinds(crash), ['give-up'])
})

test('what would fail again is not tried again, unless it went well before', () => {
  const taken = {
    kind: 'failed',
    code: 'TAILRACE_WEB_PORT_TAKEN',
    message: 'port 6066 is used'
  } as const
  const life = new Life()
  life.take(tick)
  life.take(taken)
  assert.deepEqual(life.take(crash), [
    { kind: 'give-up', reason: 'port 6066 is used', isUsage: false }
  ])
  const before = new Life().running()
  before.take(taken)
  assert.deepEqual(before.kinds(crash), ['restart-in'])
})

test('wrong use is given up as such', () => {
  const life = new Life()
  life.take(tick)
  const [action] = life.take({ kind: 'exited', code: 64, signal: null })
  assert.ok(action?.kind === 'give-up' && action.isUsage)
})

test('a quiet node is watched no more, and its end is the end', () => {
  const life = new Life().running()
  assert.deepEqual(life.take({ kind: 'quiet' }), [])
  assert.equal(life.node.dueMs, Infinity)
  life.now += 1_000_000
  assert.deepEqual(life.take(tick), [])
  assert.deepEqual(life.take({ kind: 'report', code: 5 }), [])
  assert.deepEqual(life.take(crash), [])
  assert.equal(life.node.phase, 'ended')
})

test('quiet while it waits for its next start: it is not started', () => {
  const life = new Life().running()
  life.take(crash)
  life.take({ kind: 'quiet' })
  assert.equal(life.node.phase, 'ended')
})

test('a stop of all waits shutdownTimeout and 15 s, then kills', () => {
  const life = new Life().running()
  assert.deepEqual(life.take(stop), [
    { kind: 'terminate', status: undefined, reason: 'SIGTERM', isCold: false }
  ])
  assert.deepEqual(
    life.due(75_000).map(({ kind }) => kind),
    ['kill']
  )
  assert.deepEqual(life.take(killed), [])
  assert.equal(life.node.phase, 'ended')
})

test('a second stop, which is cold, is told too and waits less; a second warm one is not', () => {
  const life = new Life().running()
  life.take(stop)
  assert.deepEqual(life.take(stop), [])
  assert.deepEqual(life.kinds({ ...stop, isCold: true }), ['terminate'])
  assert.deepEqual(
    life.due(10_000).map(({ kind }) => kind),
    ['kill']
  )
})

test('the reason of a kill names the time that it had', () => {
  const kill = (within: string): readonly NodeAction[] => [
    { kind: 'kill', reason: `it has not stopped within ${within}` }
  ]
  const ill = new Life().running()
  ill.take({ kind: 'report', code: 2 })
  assert.deepEqual(ill.due(60_000), kill('1m'))
  const stopped = new Life().running()
  stopped.take(stop)
  assert.deepEqual(stopped.due(75_000), kill('1m 15s'))
  const cold = new Life().running()
  cold.take({ ...stop, isCold: true })
  assert.deepEqual(cold.due(10_000), kill('10s'))
})

test('a stop while it is stopped for its health starts nothing again', () => {
  const life = new Life().running()
  life.take({ kind: 'report', code: 1 })
  assert.deepEqual(life.take(stop), [])
  assert.deepEqual(life.take(crash), [])
  assert.equal(life.node.phase, 'ended')
})

test('a stop while it boots, and while it waits', () => {
  const booting = new Life()
  booting.take(tick)
  assert.deepEqual(booting.kinds(stop), ['terminate'])
  const waiting = new Life()
  assert.deepEqual(waiting.take(stop), [])
  assert.equal(waiting.node.phase, 'ended')
  assert.deepEqual(waiting.take(tick), [])
})

test('asked for, it is started again at once, and that counts for nothing', () => {
  const life = new Life({ maxRestarts: 0 }).running()
  assert.deepEqual(life.kinds({ kind: 'restart', reason: 'roll' }), ['terminate'])
  assert.equal(delayOf(life.take({ kind: 'exited', code: 0, signal: null })), 0)
  assert.deepEqual(life.kinds(tick), ['start'])
  assert.equal(life.node.restarts, 0)
})

test('asked for while it waits, it does not wait longer', () => {
  const life = new Life().running()
  life.take(crash)
  assert.deepEqual(life.take({ kind: 'restart', reason: 'now' }), [])
  assert.deepEqual(life.kinds(tick), ['start'])
})

test('time in which the supervisor slept counts for no report, boot or stop', () => {
  const slept: NodeInput = { kind: 'slept', ms: 600_000 }
  const sleeps = (life: Life): Life => {
    life.now += 600_000
    assert.deepEqual(life.take(slept), [])
    return life
  }
  const running = new Life().running()
  running.now += 10_000
  assert.equal(sleeps(running).due(50_000)[0]?.kind, 'terminate')
  assert.equal(sleeps(running).due(60_000)[0]?.kind, 'kill')
  const booting = new Life({ bootTimeoutMs: 7_000 })
  booting.take(tick)
  assert.equal(sleeps(booting).due(7_000)[0]?.kind, 'terminate')
  const waiting = new Life().running()
  waiting.take(crash)
  assert.deepEqual(sleeps(waiting).kinds(tick), ['start'])
})
