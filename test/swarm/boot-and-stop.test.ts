// A swarm from its first line to its last: nodes start, share the partitions, work, and end.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { swarmScene } from './scene.ts'

swarmScene('two nodes start, work off every partition, and end with code 0', async (scene) => {
  const swarm = await scene.swarm({ nodes: 2 }).ready(2)
  await scene.send(...Array.from({ length: 20 }, () => ({})))
  for (let id = 0; id < 20; id++) await swarm.event('done', { id })
  const workers = new Set(swarm.events('done').map(({ pid }) => pid))
  assert.deepEqual(workers, new Set(swarm.pids), 'both nodes worked')
  const titles = swarm.pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
  assert.deepEqual(titles.map((title) => title.replaceAll('\0', '').trim()).toSorted(), [
    'tailrace jobs node 0',
    'tailrace jobs node 1'
  ])
  await swarm.stop()
  const order = ['before-warmup', 'node.before-start', 'node.started', 'node.ready', 'stopping']
  const at = order.map((name) => swarm.text.indexOf(`~${name} `))
  assert.deepEqual(
    at,
    at.toSorted((a, b) => a - b)
  )
  assert.equal(swarm.events('node.exited').length, 2)
  assert.equal(await scene.counted(), 20)
})
