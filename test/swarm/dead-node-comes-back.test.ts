// A node that ends in the middle of a job: its place is taken again, with its directory, and the
// job that ended it is done.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { tryKill } from '../process/gone.ts'
import { swarmScene } from './scene.ts'

swarmScene('a node killed with -9 is started again, and works on', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2 }).ready(2)
  const pid = swarm.pidOf(1)
  tryKill(pid, 'SIGKILL')
  const { node } = await swarm.event('node.exited', { pid, signal: 'SIGKILL', code: null })
  assert.equal(node, 1)
  await swarm.event('node.restarting', { node: 1, delayMs: 100 })
  await swarm.event('node.ready', { node: 1 }, 2)
  assert.notEqual(swarm.pidOf(1), pid)
  await scene.send(...Array.from({ length: 12 }, () => ({})))
  for (let id = 0; id < 12; id++) await swarm.event('done', { id })
  await swarm.stop()
  assert.equal(await scene.counted(), 12)
})

swarmScene('a job that ends its node is tried again by the next one', async (scene) => {
  const swarm = await scene.swarm({ nodes: 1 }).ready(1)
  await scene.send({ does: 'exit', ms: 7 })
  await swarm.event('node.exited', { node: 0, code: 7 })
  await swarm.event('begins', { id: 0 }, 2)
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})

swarmScene('no process of a dead node stays behind', async (scene) => {
  const swarm = await scene.swarm({ nodes: 1 }).ready(1)
  for (let round = 2; round < 5; round++) {
    tryKill(swarm.pidOf(0), 'SIGKILL')
    await swarm.event('node.ready', { node: 0 }, round)
  }
  const old = swarm.pids.slice(0, -1)
  assert.equal(old.length, 3)
  for (const pid of old) {
    assert.throws(() => readFileSync(`/proc/${pid}/status`), { code: 'ENOENT' }, 'no zombie')
  }
  await swarm.stop()
})

swarmScene('TERM to one node is how that one is started anew', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2 }).ready(2)
  const other = swarm.pidOf(0)
  tryKill(swarm.pidOf(1), 'SIGTERM')
  await swarm.event('node.exited', { node: 1, code: 0 })
  await swarm.event('node.ready', { node: 1 }, 2)
  assert.equal(swarm.pidOf(0), other)
  await swarm.stop()
})
