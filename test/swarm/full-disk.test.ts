// A disk that is full: the node ends each time that it writes, and in the end the swarm does.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

swarmScene('it is tried a few times, and given up with what was wrong', async (scene) => {
  const env = { TAILRACE_SWARM_MAX_RESTARTS: '2' }
  const swarm = await scene.swarm({ module: 'full.ts', nodes: 1, env }).ready(1)
  await scene.send({})
  await swarm.process.ends({ code: 1 })
  await swarm.leavesNothing()
  assert.equal(swarm.pids.length, 3)
  assert.match(swarm.text, /TAILRACE_SWARM_GAVE_UP: .*2 restarts.*the disk of this test is full/)
})
