// A supervisor that is killed leaves no node behind, whatever their loops do.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

/** As the docs say it; the machine may take its time as well. */
const boundMs = 2_000
const slackMs = 8_000

swarmScene('kill -9 of the supervisor: every node ends, blocked ones too', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2 }).ready(2)
  await scene.send({ does: 'compute', ms: 600_000 })
  await swarm.event('begins', { id: 0 })
  await swarm.process.kill()
  const since = performance.now()
  await swarm.leavesNothing()
  assert.ok(performance.now() - since < boundMs + slackMs)
})

swarmScene('a node whose app blocks on import ends as well', async (scene) => {
  const swarm = scene.swarm({ nodes: 1, module: 'blocks-on-import.ts' })
  await swarm.event('blocks')
  await swarm.process.kill()
  await swarm.leavesNothing()
})

swarmScene('a new swarm takes over the places at once', async (scene) => {
  const first = await scene.swarm({ nodes: 2 }).ready(2)
  await scene.send({ does: 'compute', ms: 600_000 })
  await first.event('begins', { id: 0 })
  await first.process.kill()
  // The same job is there again, and must not block the node before it is ready.
  const second = await scene.swarm({ nodes: 2, env: { JOBS: 'harmless' } }).ready(2)
  await first.leavesNothing()
  await second.event('done', { id: 0 })
  await second.stop()
})
