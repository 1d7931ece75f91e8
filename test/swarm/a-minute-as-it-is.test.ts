// Limits as they are when nobody sets them: a minute of computing is left alone, one of silence is
// not.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryKill } from '../process/gone.ts'
import { swarmScene } from './scene.ts'

/** The default, which other tests have no time for. */
const env = { TAILRACE_SWARM_HEALTH_INTERVAL: '10s', TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }
/** Of the silence and the work: what is awaited until then is that nothing happens. */
const quietMs = 45_000

swarmScene('60 s of computing is kept, 61 s of silence beside it is not', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2, env }).ready(2)
  await scene.send({ id: 100, does: 'compute', ms: 60_000 })
  const { pid: computing } = await swarm.event('begins', { id: 100 })
  const silent = swarm.pids.find((pid) => pid !== computing) ?? assert.fail('there is one node')
  tryKill(silent, 'SIGSTOP')
  const began = performance.now()
  await sleep(quietMs)
  assert.deepEqual(swarm.events('node.stopping'), [])
  const { reason } = await swarm.event('node.stopping', { pid: silent, status: -1 })
  assert.match(String(reason), /has not reported for 1m/)
  // Its last report may have been sent as long before it fell silent as reports are apart.
  assert.ok(performance.now() - began > 49_000)
  await swarm.event('node.exited', { pid: silent, signal: 'SIGKILL' })
  await swarm.event('done', { id: 100, pid: computing })
  assert.equal(swarm.events('node.stopping').length, 1)
  await scene.send(...Array.from({ length: 8 }, () => ({})))
  await swarm.stop()
  assert.equal(await scene.counted(), 9)
})
