// Hooks with a mistake: they throw whenever the supervisor has looked at nodes that are ready.
import { subscribe } from 'node:diagnostics_channel'
import './print-events.ts'

subscribe('tailrace:swarm.control', (message) => {
  const isUp = typeof message === 'object' && message !== null && 'ready' in message
  if (isUp && message.ready === 2) throw new Error('the hook failed')
})
