// A supervisor under virtual time, with nodes that do what a test says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ToNode } from '../host/node-messages.ts'
import type { SwarmDescription } from '../host/swarm-description.ts'
import { swarmDefaults } from '../host/swarm-options.ts'
import type { HealthFrame } from '../runtime/health-frames.ts'
import { silentLog } from '../runtime/log.ts'
import { VirtualClock } from '../transport/memory/virtual-clock.ts'
import type { NodeListener, NodeProcess } from './node-process.ts'
import { Supervisor } from './supervisor.ts'

const description: SwarmDescription = {
  app: 'shop',
  broker: '',
  guarantee: 'exactly-once',
  nodes: 2,
  isAuto: false,
  cores: 2,
  tasks: 4,
  units: [],
  web: undefined,
  control: { host: '127.0.0.1', port: 0 },
  directory: '',
  logLevel: 'silent',
  session: { heartbeatMs: 200, sessionTimeoutMs: 3_000 },
  swarm: { ...swarmDefaults, port: undefined, hooks: undefined },
  warnings: []
}

const wellFrame: HealthFrame = {
  kind: 'health',
  code: 0,
  reason: undefined,
  rssBytes: 1,
  heapPercent: 1,
  loopMs: 0,
  oldest: undefined,
  stack: []
}

/** Its process can be paused: what was due then runs late, as after SIGSTOP and SIGCONT. */
class PausedClock extends VirtualClock {
  #pausedMs = 0

  override monotonic(): number {
    return super.monotonic() + this.#pausedMs
  }

  pause(ms: number): void {
    this.#pausedMs += ms
  }
}

/** A node as the supervisor has it, and what it was told. */
class FakeNode implements NodeProcess {
  readonly told: ToNode[] = []
  readonly signals: NodeJS.Signals[] = []
  readonly listener: NodeListener
  readonly id: number
  readonly pid: number
  dumps = 0
  isConnected = true

  constructor(id: number, pid: number, listener: NodeListener) {
    this.id = id
    this.pid = pid
    this.listener = listener
  }

  tell(message: ToNode): boolean {
    if (this.isConnected) this.told.push(message)
    return this.isConnected
  }

  signal(name: NodeJS.Signals): void {
    this.signals.push(name)
  }

  requestDump(): void {
    this.dumps++
  }

  boots(): this {
    this.listener.onFrame(wellFrame)
    this.listener.onMessage({ kind: 'ready', tasks: 2, web: `http://127.0.0.1:${this.pid}` })
    return this
  }

  exits(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.listener.onExit(code, signal)
  }
}

class World {
  readonly clock = new PausedClock()
  readonly started: FakeNode[] = []
  readonly events: { readonly name: string; readonly message: unknown }[] = []
  readonly supervisor: Supervisor
  code: number | undefined

  constructor() {
    this.supervisor = new Supervisor({
      description,
      clock: this.clock,
      log: silentLog,
      pid: 1,
      publish: (name, message) => this.events.push({ name, message }),
      start: ({ id }, listener) => {
        const node = new FakeNode(id, 100 + this.started.length, listener)
        this.started.push(node)
        return node
      }
    })
    void this.supervisor.run().then((code) => {
      this.code = code
    })
  }

  /** The process of a node that is there now. */
  node(id: number): FakeNode {
    return this.started.findLast((one) => one.id === id) ?? assert.fail(`no node ${id}`)
  }

  running(): this {
    for (const id of [0, 1]) this.node(id).boots()
    return this
  }

  count(name: string): number {
    return this.events.filter((one) => one.name === name).length
  }
}

test('all nodes are started at once, none waits for another', () => {
  const world = new World()
  assert.deepEqual(
    world.started.map(({ id }) => id),
    [0, 1]
  )
  const names = world.events.map(({ name }) => name)
  assert.deepEqual(names, [
    'before-warmup',
    'node.before-start',
    'node.started',
    'node.before-start',
    'node.started',
    'control'
  ])
})

test('it looks at its nodes at least once a second, and says so', async () => {
  const world = new World().running()
  const before = world.count('control')
  await world.clock.advance(5_000)
  assert.equal(world.count('control') - before, 5)
  assert.deepEqual(world.events.at(-1)?.message, { ready: 2, nodes: 2 })
})

test('a warm stop is a message, and the code is 0 when all end with 0', async () => {
  const world = new World().running()
  world.supervisor.stop({ reason: 'SIGTERM' })
  for (const id of [0, 1]) {
    const { signals, told } = world.node(id)
    assert.deepEqual(told, [{ kind: 'stop', isCold: false, reason: 'SIGTERM' }])
    assert.deepEqual(signals, [])
    world.node(id).exits(0)
  }
  await world.clock.advance(0)
  assert.equal(world.code, 0)
  assert.equal(world.clock.pending, 0, 'nothing is left to be done')
})

test('a node that has not reported, or cannot be told, gets the signal instead', () => {
  const world = new World()
  world.node(1).boots().isConnected = false
  world.supervisor.stop({ reason: 'SIGTERM' })
  assert.deepEqual(world.node(0).signals, ['SIGTERM'])
  assert.deepEqual(world.node(1).signals, ['SIGTERM'])
  world.supervisor.stop({ reason: 'SIGTERM' })
  assert.deepEqual(world.node(0).signals, ['SIGTERM', 'SIGQUIT'], 'a second one is cold')
})

const endings: readonly (readonly [name: string, code: number | null, signal: null | 'SIGKILL'])[] =
  [
    ['forced by itself', 2, null],
    ['killed', null, 'SIGKILL']
  ]
for (const [name, code, signal] of endings) {
  test(`a stop in which a node is ${name} has code 2`, async () => {
    const world = new World().running()
    world.supervisor.stop({ reason: 'SIGTERM' })
    world.node(0).exits(0)
    world.node(1).exits(code, signal)
    await world.clock.advance(0)
    assert.equal(world.code, 2)
  })
}

test('a node that has lost its output ends the swarm, and is not started again', async () => {
  const world = new World().running()
  const code = 'TAILRACE_SWARM_OUTPUT_LOST'
  for (const id of [0, 1]) {
    world.node(id).listener.onMessage({ kind: 'failed', code, message: 'gone' })
  }
  const reason = 'node 0: gone'
  assert.deepEqual(world.node(1).told, [{ kind: 'stop', isCold: false, reason }])
  assert.equal(world.count('stopping'), 1, 'the second one is no second stop')
  world.node(0).exits(1)
  world.node(1).exits(0)
  await world.clock.advance(0)
  assert.equal(world.code, 1)
  assert.equal(world.started.length, 2)
})

test('a stop in which a node crashes has code 1', async () => {
  const world = new World().running()
  world.supervisor.stop({ reason: 'SIGTERM' })
  world.node(0).exits(1)
  world.node(1).exits(0)
  await world.clock.advance(0)
  assert.equal(world.code, 1)
})

test('a silent node is told, killed, and replaced by the same id', async () => {
  const world = new World().running()
  const keep = (): void => world.node(0).listener.onFrame(wellFrame)
  for (let second = 0; second < 60; second++) {
    await world.clock.advance(1_000)
    keep()
  }
  assert.equal(world.node(1).told.at(-1)?.kind, 'stop')
  assert.equal(world.count('node.stopping'), 1)
  for (let second = 0; second < 60; second++) {
    await world.clock.advance(1_000)
    keep()
  }
  assert.deepEqual(world.node(1).signals, ['SIGKILL'])
  assert.equal(world.count('node.terminating'), 1)
  world.node(1).exits(null, 'SIGKILL')
  await world.clock.advance(5_000)
  assert.equal(world.started.length, 3)
  assert.equal(world.started[2]?.id, 1)
})

test('a pause of the supervisor makes no node silent, unless it stays so', async () => {
  const world = new World().running()
  await world.clock.advance(10_500)
  world.clock.pause(600_000)
  // What one wrote meanwhile is read before the look that is late.
  world.node(0).listener.onFrame(wellFrame)
  await world.clock.advance(48_000)
  assert.equal(world.count('node.stopping'), 0)
  await world.clock.advance(2_500)
  assert.deepEqual(world.node(0).told, [])
  assert.equal(world.node(1).told.at(-1)?.kind, 'stop')
})

test('a pause of the supervisor while its nodes stop kills none of them', async () => {
  const world = new World().running()
  world.supervisor.stop({ reason: 'SIGTERM' })
  world.clock.pause(600_000)
  await world.clock.advance(60_000)
  assert.equal(world.count('node.terminating'), 0)
  await world.clock.advance(16_000)
  assert.equal(world.count('node.terminating'), 2)
})

test('nothing that an earlier process says is taken for the one of now', async () => {
  const world = new World().running()
  const old = world.node(1)
  old.exits(1)
  await world.clock.advance(5_000)
  assert.notEqual(world.node(1), old)
  old.boots()
  old.exits(1)
  assert.equal(world.supervisor.status().nodes[1]?.phase, 'booting')
  assert.equal(world.count('node.exited'), 1)
})

test('giving up stops the others, and the code says what it was', async () => {
  const wrong = new World()
  wrong.node(1).boots()
  wrong.node(0).listener.onMessage({
    kind: 'failed',
    code: 'TAILRACE_STATE_LOCKED',
    message: 'in use'
  })
  wrong.node(0).exits(1)
  assert.equal(wrong.node(1).told.at(-1)?.kind, 'stop')
  wrong.node(1).exits(0)
  await wrong.clock.advance(0)
  assert.equal(wrong.code, 1)
  const usage = new World()
  usage.node(0).exits(64)
  usage.node(1).exits(null, null)
  await usage.clock.advance(0)
  assert.equal(usage.code, 64)
})

test('quiet: told to all, watched no more, and it waits though no node is left', async () => {
  const world = new World().running()
  world.supervisor.quiet()
  assert.deepEqual(world.node(0).told, [{ kind: 'quiet' }])
  await world.clock.advance(600_000)
  world.node(0).exits(null, 'SIGKILL')
  world.node(1).exits(0)
  await world.clock.advance(60_000)
  assert.equal(world.started.length, 2)
  assert.equal(world.code, undefined)
  world.supervisor.stop({ reason: 'SIGTERM' })
  await world.clock.advance(0)
  assert.equal(world.code, 0)
})

test('a dump asks the loop and the keeper, of one node or of all', () => {
  const world = new World().running()
  world.supervisor.dump()
  world.supervisor.dump(1)
  assert.deepEqual(
    [0, 1].map((id) => world.node(id).dumps),
    [1, 2]
  )
  assert.deepEqual(world.node(0).told, [{ kind: 'dump' }])
})

test('restart of one: stopped, started at once, the other untouched', async () => {
  const world = new World().running()
  world.supervisor.restart(1, 'asked')
  assert.equal(world.node(1).told.at(-1)?.kind, 'stop')
  assert.deepEqual(world.node(0).told, [])
  world.node(1).exits(0)
  await world.clock.advance(0)
  assert.equal(world.started.length, 3)
  assert.equal(world.supervisor.status().nodes[1]?.restarts, 0)
})

test('status: phases, health, and how each ended last', () => {
  const world = new World().running()
  world.node(0).exits(null, 'SIGKILL')
  const { nodes, state } = world.supervisor.status()
  assert.equal(state, 'running')
  const [dead, lives] = nodes
  assert.deepEqual(
    [dead?.phase, dead?.pid, dead?.isReady, dead?.restarts],
    ['waiting', undefined, false, 1]
  )
  assert.deepEqual(dead?.lastExit, { code: null, signal: 'SIGKILL', reason: undefined })
  assert.deepEqual([lives?.phase, lives?.pid, lives?.isReady], ['running', 101, true])
  assert.equal(lives?.web, 'http://127.0.0.1:101')
  assert.equal(lives?.health, wellFrame)
})
