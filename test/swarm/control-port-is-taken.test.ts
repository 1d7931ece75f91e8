// A control port that cannot be had is said before a node is started.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { embeddedScene } from '../process/run.ts'
import { startSwarm } from './controlled.ts'

embeddedScene('another program has it', async (one) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const swarm = startSwarm(one, { args: [`--control-port=${port}`] })
  await swarm.ends({ code: 1 })
  other.close()
  assert.match(swarm.text, /TAILRACE_SWARM_PORT: the control port \d+ of 127\.0\.0\.1 is used/)
  assert.doesNotMatch(swarm.text, /^node \d/m)
  assert.doesNotMatch(swarm.text, /^control/m)
})

embeddedScene('a node would take it', async (one) => {
  const swarm = startSwarm(one, { args: ['--web-port=18300', '--control-port=18301'] })
  await swarm.ends({ code: 64 })
  assert.match(swarm.text, /swarm.port: is 18301, which the web pages of node 1 would take/)
})
