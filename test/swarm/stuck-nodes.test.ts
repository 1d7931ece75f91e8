// A node whose loop runs, and which still comes no further: each place has its code.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type SwarmScene, swarmScene } from './scene.ts'

const shutdown = { TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }

async function stopsWith(
  scene: SwarmScene,
  { env, module, status }: { env: Record<string, string>; module: string; status: number }
): Promise<string> {
  const swarm = scene.swarm({ module, nodes: 1, env: { ...shutdown, ...env } })
  const { reason } = await swarm.event('node.stopping', { node: 0, status })
  const [first] = swarm.events('node.stopping')
  assert.equal(first?.['status'], status, 'nothing else was said before')
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
  return String(reason)
}

swarmScene('1: the log is not asked any more', async (scene) => {
  const env = { STUCK: 'poll', TAILRACE_SWARM_LIMITS_POLL: '1s' }
  const reason = await stopsWith(scene, { module: 'stuck.ts', status: 1, env })
  assert.match(reason, /has not asked the log for 1/)
})

swarmScene('4: the group takes it in never', async (scene) => {
  const env = { STUCK: 'membership', TAILRACE_SWARM_LIMITS_MEMBERSHIP: '1s' }
  const reason = await stopsWith(scene, { module: 'stuck.ts', status: 4, env })
  assert.match(reason, /its group has not settled for 1/)
})

swarmScene('6: the heap', async (scene) => {
  const env = { TAILRACE_SWARM_LIMITS_HEAP: '1', NODE_OPTIONS: '--max-old-space-size=256' }
  const reason = await stopsWith(scene, { module: 'jobs.ts', status: 6, env })
  assert.match(reason, /\d+ % of its heap is in use/)
})

swarmScene('7: a restore that does not come further', async (scene) => {
  await scene.send(...Array.from({ length: 8 }, () => ({})))
  assert.equal(await scene.counted(), 8)
  const env = {
    STUCK: 'restore',
    TAILRACE_SWARM_LIMITS_RESTORE: '1s',
    TAILRACE_DATADIR: join(scene.directory, 'nothing-yet')
  }
  const reason = await stopsWith(scene, { module: 'stuck.ts', status: 7, env })
  assert.match(reason, /its restore has not come further for 1/)
})
