// A node that ends again and again: longer and longer between its starts, then the swarm ends.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

swarmScene('backs off, gives up with code 1, and says why', async (scene) => {
  const env = { TAILRACE_SWARM_MAX_RESTARTS: '3', TAILRACE_SWARM_RESTART_DELAY: '50ms' }
  const swarm = await scene.swarm({ nodes: 2, env }).ready(2)
  await scene.send({ does: 'exit', ms: 9 })
  await swarm.process.ends({ code: 1 })
  await swarm.leavesNothing()
  const byNode = Map.groupBy(swarm.events('node.restarting'), ({ node }) => node)
  for (const delays of byNode.values()) {
    const doubled = [50, 100, 200].slice(0, delays.length)
    assert.deepEqual(
      delays.map(({ delayMs }) => delayMs),
      doubled
    )
  }
  assert.match(swarm.text, /TAILRACE_SWARM_GAVE_UP: node \d cannot be kept alive: .*3 restarts/)
})
