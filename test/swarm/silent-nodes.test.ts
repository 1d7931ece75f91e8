// Nodes whose very keepers are silent: told to stop, killed, replaced; and then a clean stop.
import assert from 'node:assert/strict'
import { tryKill } from '../process/gone.ts'
import { swarmScene } from './scene.ts'

swarmScene('both are stopped with -1, killed, and come back', async (scene) => {
  const env = { TAILRACE_SWARM_HEALTH_TIMEOUT: '2s', TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }
  const swarm = await scene.swarm({ nodes: 2, env }).ready(2)
  const asleep = [swarm.pidOf(0), swarm.pidOf(1)]
  // Asleep as a whole, so that nothing of them can say anything.
  for (const pid of asleep) tryKill(pid, 'SIGSTOP')
  for (const pid of asleep) {
    const { reason } = await swarm.event('node.stopping', { pid, status: -1 })
    assert.match(String(reason), /has not reported for 2s/)
    await swarm.event('node.terminating', { pid })
    await swarm.event('node.exited', { pid, signal: 'SIGKILL' })
  }
  for (const node of [0, 1]) await swarm.event('node.ready', { node }, 2)
  await scene.send(...Array.from({ length: 8 }, () => ({})))
  for (let id = 0; id < 8; id++) await swarm.event('done', { id })
  await swarm.stop()
  assert.equal(await scene.counted(), 8)
})
