// A stop of nodes that hear nothing any more: each has all of its own time, and 15 s beyond.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

const env = { TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }

swarmScene('a blocked loop: killed in the end, code 2', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2, env }).ready(2)
  await scene.send({ does: 'compute', ms: 600_000 })
  await swarm.event('begins', { id: 0 })
  swarm.process.signal('SIGTERM')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
  const killed = swarm.events('node.terminating')
  assert.equal(killed.length, 1)
  await swarm.event('node.exited', { pid: killed[0]?.['pid'], signal: 'SIGKILL' })
  await swarm.event('node.exited', { code: 0 })
})
