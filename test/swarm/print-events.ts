// Hooks of a supervisor: every event of its list as a line, for the test to wait for.
import { subscribe } from 'node:diagnostics_channel'
import { swarmEventNames } from '../../src/swarm/swarm-events.ts'

for (const name of swarmEventNames) {
  if (name === 'control') continue
  subscribe(`tailrace:swarm.${name}`, (message) => {
    process.stdout.write(`~${name} ${JSON.stringify(message)}\n`)
  })
}
