// A node that does not come back stops the roll: the others stay as they were, and it is tried on.
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { embeddedScene } from '../process/run.ts'
import { ControlledSwarm } from './controlled.ts'

embeddedScene('a node whose new program is broken', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 3 })
  const before = await swarm.pids()
  await writeFile(one.place('BREAK'), '')
  const rolled = await swarm.command('roll')
  assert.equal(rolled.code, 1)
  assert.match(rolled.text, /TAILRACE_SWARM_ROLL_FAILED: roll failed, 0 of 3 nodes are ready again/)
  assert.match(rolled.text, /node 0 did not come back: it ended with code 7/)
  await swarm.process.line(/ERROR: the roll stops, and the other nodes go on: node 0 did not/)
  const { nodes, roll } = await swarm.status()
  assert.equal(roll?.state, 'failed')
  assert.deepEqual(
    nodes.slice(1).map(({ isReady, pid }) => [pid, isReady]),
    [before[1], before[2]].map((pid) => [pid, true])
  )
  const again = await swarm.command('roll')
  assert.equal(again.code, 1)
  assert.match(again.text, /TAILRACE_SWARM_REFUSED: node 0 is not ready, and only one may be down/)
  await rm(one.place('BREAK'))
  await swarm.until((now) => now.nodes.every(({ isReady }) => isReady))
  assert.equal((await swarm.status()).roll?.state, 'failed', 'it did not go on by itself')
  await one.send(100)
  await one.settled()
  await swarm.stop()
  await one.verify()
})

embeddedScene('a stop ends a roll', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 2 })
  await writeFile(one.place('HOLD'), '')
  await one.send(20)
  await swarm.process.line(/^holds$/m)
  swarm.process.signal('SIGHUP')
  await swarm.until(({ roll }) => roll?.state === 'rolling')
  swarm.process.signal('SIGTERM')
  await swarm.process.line(/WARN: the roll ends: the swarm stops/)
  await rm(one.place('HOLD'))
  await swarm.process.ends({ code: 0 })
  assert.doesNotMatch(swarm.text, /the roll is over/)
  await one.finish()
})
