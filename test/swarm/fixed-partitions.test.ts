// Partitions that are fixed to nodes: they are their own, and wait for them.
import assert from 'node:assert/strict'
import { tryKill } from '../process/gone.ts'
import { swarmScene } from './scene.ts'

const module = 'fixed.ts'

swarmScene('each node works on its own partitions alone, also when one is dead', async (scene) => {
  const env = { ASSIGN: '{"0":[0],"1":[1,2,3]}', TAILRACE_SWARM_RESTART_DELAY: '1s' }
  const swarm = await scene.swarm({ module, env }).ready(2)
  await scene.send(...Array.from({ length: 8 }, () => ({})))
  for (let id = 0; id < 8; id++) await swarm.event('done', { id })
  const first = swarm.pidOf(0)
  for (const { partition, pid } of swarm.events('done')) {
    assert.equal(pid === first, partition === 0, `partition ${partition}`)
  }
  tryKill(swarm.pidOf(1), 'SIGKILL')
  await swarm.event('node.exited', { node: 1 })
  await scene.send({ id: 100, partition: 1 }, { id: 101, partition: 0 })
  await swarm.event('done', { id: 101 })
  const { pid } = await swarm.event('done', { id: 100 })
  assert.equal(pid, swarm.pidOf(1), 'nobody else took it')
  await swarm.stop()
})

const mistakes: readonly (readonly [name: string, assign: string, said: RegExp])[] = [
  ['a node that is not there', '{"0":[0,1],"100":[2,3]}', /names node 100; .* nodes 0 to 1/],
  ['a partition twice', '{"0":[0,1],"1":[1,2,3]}', /gives partition 1 to more than one node/],
  ['a partition for nobody', '{"0":[0],"1":[1,2]}', /gives partition 3 to no node/],
  ['a partition that is not there', '{"0":[0,1],"1":[2,3,4]}', /names partition 4; there are 4/],
  ['a node with nothing to do', '{"0":[0,1,2,3]}', /leaves node 1 with nothing to do/]
]
for (const [name, assign, said] of mistakes) {
  swarmScene(`${name} is refused before a node starts`, async (scene) => {
    const swarm = scene.swarm({ module, env: { ASSIGN: assign } })
    await swarm.process.ends({ code: 64 })
    assert.match(swarm.text, said)
    assert.deepEqual(swarm.pids, [])
  })
}
