// Every way in which a swarm is told to stop, and what it makes of nodes that do not.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

swarmScene('Ctrl-C reaches everybody once, in order: nodes stop warm, code 0', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2, isGroup: true }).ready(2)
  await scene.send({ does: 'wait', ms: 300 })
  await swarm.event('begins', { id: 0 })
  swarm.process.signalGroup('SIGINT')
  await swarm.process.ends({ code: 0 })
  await swarm.leavesNothing()
  assert.equal(swarm.text.match(/INFO: the worker stops/g)?.length, 2)
  assert.equal(swarm.events('done').length, 1, 'what was open is finished')
  assert.equal(await scene.counted(), 1)
})

swarmScene('QUIT stops cold, with code 2: what is open is dropped', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2 }).ready(2)
  await scene.send({ does: 'never' })
  await swarm.event('begins', { id: 0 })
  swarm.process.signal('SIGQUIT')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})

swarmScene('a second TERM is a cold stop', async (scene) => {
  const swarm = await scene.swarm({ nodes: 1 }).ready(1)
  await scene.send({ does: 'never' })
  await swarm.event('begins', { id: 0 })
  swarm.process.signal('SIGTERM')
  await swarm.event('stopping')
  swarm.process.signal('SIGTERM')
  await swarm.process.ends({ code: 2 })
  await swarm.leavesNothing()
})

swarmScene('a node that cannot finish in its own time is forced: code 2', async (scene) => {
  const env = { TAILRACE_SWARM_SHUTDOWN_TIMEOUT: '500ms' }
  const swarm = await scene.swarm({ nodes: 1, env }).ready(1)
  await scene.send({ does: 'never' })
  await swarm.event('begins', { id: 0 })
  swarm.process.signal('SIGTERM')
  await swarm.process.ends({ code: 2 })
  await swarm.event('node.exited', { code: 2 })
  assert.equal(swarm.events('node.terminating').length, 0, 'it did so itself')
})

swarmScene('TERM while nodes start ends them', async (scene) => {
  const swarm = scene.swarm({ nodes: 2 })
  await swarm.event('node.started', { node: 1 })
  swarm.process.signal('SIGTERM')
  await swarm.process.ends({ code: 0 })
  await swarm.leavesNothing()
})
