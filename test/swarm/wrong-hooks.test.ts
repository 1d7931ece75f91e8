// Hooks of a supervisor that fail: while they run, and when they are imported.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { swarmScene } from './scene.ts'

swarmScene('hooks that throw stop the swarm warm, with code 1', async (scene) => {
  const hooks = join(import.meta.dirname, 'throw-in-control.ts')
  const swarm = scene.swarm({ nodes: 2, env: { TAILRACE_SWARM_HOOKS: hooks } })
  await swarm.process.ends({ code: 1 })
  await swarm.leavesNothing()
  assert.match(swarm.text, /Error: the hook failed/)
  const ends = swarm.events('node.exited').map(({ code, signal }) => ({ code, signal }))
  assert.deepEqual(ends, [
    { code: 0, signal: null },
    { code: 0, signal: null }
  ])
})
