// What a node may do: compute far beyond healthTimeout, wait, or have nothing to do at all.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryKill } from '../process/gone.ts'
import { swarmScene } from './scene.ts'

/** The same proportions as 60 s of silence and 5 min of work. */
const env = {
  TAILRACE_SWARM_HEALTH_INTERVAL: '200ms',
  TAILRACE_SWARM_HEALTH_TIMEOUT: '2s',
  TAILRACE_SWARM_LIMITS_LOOP: '60s',
  TAILRACE_SWARM_LIMITS_EVENT: '60s'
}

swarmScene('a computation of three times healthTimeout, and a node beside it', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2, env }).ready(2)
  await scene.send({ id: 7, does: 'compute', ms: 6_000 })
  await swarm.event('done', { id: 7 })
  assert.deepEqual(swarm.events('node.stopping'), [])
  assert.equal(swarm.pids.length, 2)
  await swarm.stop()
  assert.equal(await scene.counted(), 1)
})

swarmScene('the first thing it does: it has reported before', async (scene) => {
  await scene.send({ id: 7, does: 'compute', ms: 5_000 })
  const swarm = scene.swarm({ nodes: 1, env })
  await swarm.event('done', { id: 7 })
  assert.deepEqual(swarm.events('node.stopping'), [])
  await swarm.stop()
})

swarmScene('TERM to a node with a long event: it reports until it is done', async (scene) => {
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  const pid = swarm.pidOf(0)
  await scene.send({ id: 7, does: 'wait', ms: 5_000 })
  await swarm.event('begins', { id: 7 })
  tryKill(pid, 'SIGTERM')
  await swarm.event('node.exited', { pid, code: 0 })
  assert.equal(swarm.events('done').length, 1)
  assert.deepEqual(swarm.events('node.stopping'), [])
  await swarm.stop()
})

swarmScene('nothing to do, for long', async (scene) => {
  const swarm = scene.swarm({ nodes: 3, env: { ...env, TAILRACE_SWARM_LIMITS_POLL: '1s' } })
  await swarm.ready(3)
  // Three times each limit: what is awaited is that nothing happens.
  await sleep(6_000)
  assert.deepEqual(swarm.events('node.stopping'), [])
  await swarm.stop()
})
