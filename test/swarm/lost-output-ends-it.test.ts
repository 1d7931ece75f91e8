// Nobody reads what a swarm says any more, as when its terminal is closed: it stops, once.
import assert from 'node:assert/strict'
import { embeddedScene } from '../process/run.ts'
import { ControlledSwarm } from './controlled.ts'

embeddedScene('both of its outputs are gone when it is told to roll', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 1 })
  swarm.process.closeOutput()
  swarm.process.closeErrors()
  swarm.process.signal('SIGHUP')
  const { code, signal } = await swarm.process.ended
  assert.equal(signal, null)
  // Its node lost its output as well, and may have seen that before it was told to stop.
  assert.ok(code === 0 || code === 1, `code ${code}`)
})

embeddedScene('only its nodes write where nobody reads, as under `| head`', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 2 })
  swarm.process.closeOutput()
  const [node] = (await swarm.status()).nodes
  // Its next process says that it runs, which the supervisor does not.
  process.kill(node?.pid ?? assert.fail('it has no process'), 'SIGTERM')
  await swarm.process.ends({ code: 1 })
  assert.match(swarm.process.text, /TAILRACE_SWARM_OUTPUT_LOST: what reads the output.* is gone/)
  assert.match(swarm.process.text, /the swarm stops: node 0: TAILRACE_SWARM_OUTPUT_LOST/)
})
