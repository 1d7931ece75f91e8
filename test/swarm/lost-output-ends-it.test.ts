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
