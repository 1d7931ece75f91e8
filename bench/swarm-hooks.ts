// In the supervisor of a bench: hands what happens to its nodes on to who started it.
import { subscribe } from 'node:diagnostics_channel'

for (const name of ['node.started', 'node.ready'] as const) {
  subscribe(`tailrace:swarm.${name}`, (message) => process.send?.({ name, ...Object(message) }))
}
