// A node beyond one of its limits says so by its code, is stopped, and comes back.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

swarmScene('3: memory', async (scene) => {
  const env = { TAILRACE_SWARM_LIMITS_MEMORY: '600MB' }
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  const pid = swarm.pidOf(0)
  await scene.send({ does: 'fill', ms: 600 })
  const { reason } = await swarm.event('node.stopping', { node: 0, pid, status: 3 })
  assert.match(String(reason), /MB resident, and may have 600/)
  await swarm.event('node.exited', { pid, code: 0 })
  await swarm.event('node.ready', { node: 0 }, 2)
  await swarm.stop()
  assert.equal(await scene.counted(), 1)
})

swarmScene('2: one event for too long, beside a quick agent', async (scene) => {
  const env = { TAILRACE_SWARM_LIMITS_EVENT: '1s', TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '1s' }
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  const pid = swarm.pidOf(0)
  await scene.send({ id: 7, does: 'never', partition: 0 })
  await swarm.event('begins', { id: 7 })
  let isOver = false
  const quick = (async (): Promise<void> => {
    for (let id = 100; !isOver; id++) {
      await scene.send({ id, partition: 1 })
      await swarm.event('done', { id })
    }
  })()
  const { reason } = await swarm.event('node.stopping', { pid, status: 2 })
  isOver = true
  await quick
  assert.match(String(reason), /agent "work" works on "jobs" partition 0 offset 0 for/)
  await swarm.process.line(/"oldest":\{"topic":"jobs","partition":0,"offset":0,"agent":"work"/)
  // Its own shutdownTimeout is the swarm's: either of the two ends it.
  await swarm.event('node.exited', { pid })
  await swarm.event('begins', { id: 7 }, 2)
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
})

swarmScene('5: a blocked loop, with its stack; TERM is not heard, KILL is', async (scene) => {
  const env = { TAILRACE_SWARM_LIMITS_LOOP: '1s', TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  const pid = swarm.pidOf(0)
  await scene.send({ id: 7, does: 'compute', ms: 600_000 })
  await swarm.event('node.stopping', { pid, status: 5 })
  await swarm.event('node.terminating', { pid })
  await swarm.event('node.exited', { pid, signal: 'SIGKILL' })
  const line = swarm.text.match(/^\[.*\] ERROR: node 0 \(pid \d+\) is stopped: .*$/m)?.[0] ?? ''
  assert.match(line, /its loop has been blocked for .*, agent "work" works on "jobs"/)
  assert.match(line, /"stack":\[[^\]]*computeForLong \(file:[^"]*jobs\.ts:\d+:\d+\)"/)
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})

swarmScene('respawned nodes are watched as the first one was', async (scene) => {
  const env = {
    TAILRACE_SWARM_LIMITS_LOOP: '500ms',
    TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '200ms',
    TAILRACE_SWARM_RESTART_DELAY: '50ms'
  }
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  await scene.send({ does: 'compute', ms: 600_000 })
  await swarm.event('node.stopping', { status: 5 }, 3)
  assert.ok(swarm.pids.length >= 3)
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})
