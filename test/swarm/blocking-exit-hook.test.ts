// A node that has stopped, and hangs in what the app does at the exit of its process.
import { swarmScene } from './scene.ts'

swarmScene('it is killed, code 2', async (scene) => {
  const env = { TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  await scene.send({ does: 'block-at-exit', ms: 600_000 })
  await swarm.event('done', { id: 0 })
  swarm.process.signal('SIGTERM')
  await swarm.event('node.terminating', { node: 0 })
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})
