// Two hundred restarts leave a supervisor with what it had: descriptors, timers, listeners.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import type { SwarmDescription } from '../../src/host/swarm-description.ts'
import { swarmDefaults } from '../../src/host/swarm-options.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { startNode } from '../../src/swarm/node-process.ts'
import { Supervisor } from '../../src/swarm/supervisor.ts'

const nodes = 2
const restartsWanted = 200

const description: SwarmDescription = {
  app: 'nothing',
  broker: '',
  guarantee: 'exactly-once',
  nodes,
  isAuto: false,
  cores: 1,
  tasks: 1,
  units: [],
  web: undefined,
  control: { host: '127.0.0.1', port: 0 },
  directory: '',
  logLevel: 'silent',
  session: { heartbeatMs: 1, sessionTimeoutMs: 3 },
  swarm: {
    ...swarmDefaults,
    hooks: undefined,
    port: undefined,
    restartDelayMs: 1,
    restartDelayMaxMs: 1,
    maxRestarts: 1_000
  },
  warnings: []
}

/** Reports once, over both ways, and ends. */
const program = `
  require('fs').writeSync(4, JSON.stringify({ kind: 'health', code: 0, stack: [] }) + '\\n')
  process.send({ kind: 'ready', tasks: 0 }, () => process.exit(5))
`

interface Held {
  readonly descriptors: number
  readonly resources: Readonly<Record<string, number>>
  readonly listeners: number
}

function held(): Held {
  const descriptors = readdirSync('/proc/self/fd').length
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) {
    resources[name] = (resources[name] ?? 0) + 1
  }
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  return { descriptors, resources, listeners }
}

test('200 restarts', { timeout: 180_000 }, async () => {
  const seen = { restarts: 0, exits: 0, ready: 0 }
  const { promise: enough, resolve: end } = Promise.withResolvers<void>()
  const supervisor = new Supervisor({
    description,
    clock: realClock,
    log: silentLog,
    pid: process.pid,
    start: (place, listener) =>
      startNode(
        { program: process.execPath, args: ['-e', program], environment: process.env },
        place,
        listener
      ),
    publish: (name) => {
      if (name === 'node.ready') seen.ready++
      if (name === 'node.exited') seen.exits++
      if (name === 'node.restarting' && ++seen.restarts >= restartsWanted) end()
    }
  })
  const before = held()
  const code = supervisor.run()
  await enough
  supervisor.stop({ reason: 'enough' })
  await code
  // What ended last is let go of in the turns that follow.
  for (let turn = 0; turn < 10; turn++) await realClock.turn()
  const after = held()
  assert.ok(seen.ready >= restartsWanted && seen.exits >= restartsWanted, JSON.stringify(seen))
  assert.ok(after.descriptors <= before.descriptors + 2, JSON.stringify({ before, after }))
  assert.deepEqual(after.resources, before.resources)
  assert.equal(after.listeners, before.listeners)
})
