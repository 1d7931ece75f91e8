// TSTP: what is open is finished, nothing new is begun, and nobody is started again.
import assert from 'node:assert/strict'
import { tryKill } from '../process/gone.ts'
import { swarmScene } from './scene.ts'

swarmScene(
  'nodes finish, fetch no more, keep their tasks, and stay away when dead',
  async (one) => {
    const swarm = await one.swarm({ nodes: 2 }).ready(2)
    await one.send({ does: 'wait', ms: 500 })
    await swarm.event('begins', { id: 0 })
    swarm.process.signal('SIGTSTP')
    await swarm.event('done', { id: 0 })
    await swarm.process.until(
      () => swarm.text.match(/INFO: the worker is quiet/g)?.length === 2,
      'both nodes are quiet'
    )
    await one.send(...Array.from({ length: 8 }, () => ({})))
    // A dump comes after whatever a fetch would have brought.
    swarm.process.signal('SIGTTIN')
    await swarm.process.until(
      () => swarm.text.match(/^node \d, worker .*, quiet/gm)?.length === 2,
      'both nodes dump'
    )
    assert.match(swarm.text, /jobs\+counts\/\d: running/)
    const other = swarm.pidOf(1)
    tryKill(other, 'SIGKILL')
    await swarm.event('node.exited', { pid: other })
    assert.equal(swarm.events('begins').length, 1)
    await swarm.stop()
    assert.equal(swarm.events('node.restarting').length, 0)
    assert.equal(swarm.events('node.started').length, 2)
    assert.equal(await one.counted(), 9, 'the rest was left for later')
  }
)

swarmScene('a quiet swarm without nodes still waits to be stopped', async (scene) => {
  const swarm = await scene.swarm({ nodes: 1 }).ready(1)
  swarm.process.signal('SIGTSTP')
  await swarm.process.line(/the worker is quiet/)
  const pid = swarm.pidOf(0)
  tryKill(pid, 'SIGTERM')
  await swarm.event('node.exited', { pid, code: 0 })
  assert.equal(swarm.process.hasEnded, false)
  await swarm.stop()
})
