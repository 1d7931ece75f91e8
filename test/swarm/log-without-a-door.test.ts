// Where there is no keeper's thread the loop reports: it works, and blocked it is silent.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

swarmScene('it is well while it works, and stopped with -1 when it computes', async (scene) => {
  const env = {
    TAILRACE_SWARM_HEALTH_TIMEOUT: '2s',
    TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms'
  }
  const swarm = await scene.swarm({ module: 'no-door.ts', nodes: 1, env }).ready(1)
  await scene.send({ id: 1 })
  await swarm.event('done', { id: 1 })
  const pid = swarm.pidOf(0)
  await scene.send({ id: 2, does: 'compute', ms: 600_000 })
  await swarm.event('node.stopping', { pid, status: -1 })
  await swarm.event('node.exited', { pid, signal: 'SIGKILL' })
  assert.equal(swarm.events('node.stopping').length, 1)
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})
