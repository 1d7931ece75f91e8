// HUP starts every node anew under load, one at a time: nothing is lost or doubled.
import assert from 'node:assert/strict'
import { scene } from '../process/run.ts'
import { ControlledSwarm } from './controlled.ts'

/** Ends and starts of nodes, in the order in which they were printed. */
function turns(text: string): string[] {
  const lines = text.matchAll(/^(?:.*(node \d) \(pid \d+\) (ended)|(node \d) +pid \d+, )/gm)
  return [...lines].map(([, gone, ended, back]) => (ended ? `${gone} ends` : `${back} is ready`))
}

scene('a rolling restart under load', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 3 })
  const before = await swarm.pids()
  let isOver = false
  const load = one.sendUntil(() => isOver, { slice: 50 })
  await one.progress()
  const from = swarm.text.length
  swarm.process.signal('SIGHUP')
  await swarm.until(({ roll }) => roll?.state === 'rolling')
  // Which of them it is that waits is for the roll to say.
  swarm.process.signal('SIGHUP')
  await swarm.process.line(/nothing is rolled: the swarm rolls already/)
  const { roll } = await swarm.until((now) => now.roll?.state !== 'rolling')
  assert.deepEqual(roll, { state: 'done', nodes: [0, 1, 2], done: [0, 1, 2] }, swarm.text)
  await one.progress()
  isOver = true
  await load
  const after = await swarm.pids()
  for (const [id, pid] of after.entries())
    assert.notEqual(pid, before[id], `node ${id} is the same`)
  assert.deepEqual(turns(swarm.text.slice(from)), [
    'node 0 ends',
    'node 0 is ready',
    'node 1 ends',
    'node 1 is ready',
    'node 2 ends',
    'node 2 is ready'
  ])
  assert.doesNotMatch(swarm.text.slice(from), /ended with (?!code 0 )/)
  await one.settled()
  await swarm.stop()
  await one.verify()
})
