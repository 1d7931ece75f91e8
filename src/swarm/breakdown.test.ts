// An error that nobody caught in the supervisor: a warm stop, and a kill only where that fails.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ExitCode, exitCodes } from '../host/exit-codes.ts'
import { VirtualClock } from '../transport/memory/virtual-clock.ts'
import { Breakdown } from './breakdown.ts'
import type { SwarmStatus } from './swarm-status.ts'

class World {
  readonly clock = new VirtualClock()
  readonly did: string[] = []
  readonly said: string[] = []
  readonly run: PromiseWithResolvers<ExitCode> = Promise.withResolvers()
  readonly breakdown: Breakdown
  state: SwarmStatus['state'] = 'running'
  stops = (): void => {
    this.did.push('stop')
    this.state = 'stopping'
  }
  code: ExitCode | undefined

  constructor() {
    const status = (): SwarmStatus => {
      return { app: 'shop', pid: 1, state: this.state, controlledMs: 0, roll: undefined, nodes: [] }
    }
    this.breakdown = new Breakdown({
      supervisor: { status, stop: () => this.stops(), killAll: () => this.did.push('kill') },
      clock: this.clock,
      shutdownTimeoutMs: 60_000,
      write: (text) => this.said.push(text)
    })
    void this.breakdown.over(this.run.promise).then((code) => {
      this.code = code
    })
  }
}

test('a first error is told and stops warm, with code 1; nothing is killed', async () => {
  const world = new World()
  world.breakdown.take(new Error('the hook failed'))
  assert.deepEqual(world.did, ['stop'])
  assert.match(world.said.join(''), /the hook failed/)
  world.run.resolve(exitCodes.stopped)
  await world.clock.advance(600_000)
  assert.equal(world.code, exitCodes.crashed)
  assert.deepEqual(world.did, ['stop'])
  assert.equal(world.clock.pending, 0)
})

test('a hook that throws on and on is told each time, and the stop stays warm', async () => {
  const world = new World()
  for (let times = 0; times < 50; times++) {
    world.breakdown.take(new Error('the hook failed'))
    await world.clock.advance(1_000)
  }
  assert.deepEqual(world.did, ['stop'])
  assert.equal(world.said.length, 50)
})

test('an error in a stop leaves it as it is', async () => {
  const world = new World()
  world.state = 'stopping'
  world.breakdown.take(new Error('the hook failed'))
  assert.deepEqual(world.did, [])
  world.run.resolve(exitCodes.stopped)
  await world.clock.advance(0)
  assert.equal(world.code, exitCodes.crashed)
})

test('a supervisor that cannot stop leaves no node, at once or when time is over', async () => {
  const broken = new World()
  broken.stops = () => assert.fail('it cannot stop')
  broken.breakdown.take(new Error('the supervisor failed'))
  assert.deepEqual(broken.did, ['kill'])
  await broken.clock.advance(0)
  assert.equal(broken.code, exitCodes.crashed)
  assert.match(broken.said.join(''), /the supervisor failed[^]*it cannot stop/)
  const hung = new World()
  hung.breakdown.take(new Error('the supervisor failed'))
  await hung.clock.advance(89_999)
  assert.deepEqual(hung.did, ['stop'])
  await hung.clock.advance(1)
  assert.deepEqual(hung.did, ['stop', 'kill'])
  assert.equal(hung.code, exitCodes.crashed)
})

test('without an error the code is that of the supervisor', async () => {
  const world = new World()
  world.run.resolve(exitCodes.forced)
  await world.clock.advance(0)
  assert.equal(world.code, exitCodes.forced)
})
