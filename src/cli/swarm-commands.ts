// The commands that are told to a swarm that runs: what they are called, and which file answers.
import type { Given } from './flags.ts'

interface SwarmCommandSpec {
  /** As commander takes it, with its node. */
  readonly name: string
  readonly text: string
  readonly line: string
  readonly run: (given: Given, node: string | undefined) => Promise<void>
}

function tells(path: string): SwarmCommandSpec['run'] {
  return async (given, node) => {
    const { command, openSwarm } = await import('./swarm.ts')
    await command(await openSwarm(given), node === undefined ? path : `${path}/${node}`)
  }
}

export const swarmCommands: readonly SwarmCommandSpec[] = [
  {
    name: 'status',
    text: 'Says how the swarm and its nodes are.',
    line: 'tailrace swarm status --json',
    run: async (given) => {
      const { openSwarm, status } = await import('./swarm.ts')
      status(await openSwarm(given))
    }
  },
  {
    name: 'quiet',
    text: 'All nodes finish what is open, fetch no more, and stay in the group.',
    line: 'tailrace swarm quiet',
    run: tells('/quiet')
  },
  {
    name: 'stop',
    text: 'Stops the swarm warm, and one that stops already at once.',
    line: 'tailrace swarm stop',
    run: tells('/stop')
  },
  {
    name: 'restart <node>',
    text: 'Stops one node warm, and starts it again at once.',
    line: 'tailrace swarm restart 1',
    run: tells('/restart')
  },
  {
    name: 'roll [node]',
    text: 'Starts nodes anew, each when the one before is ready again; waits until it is over.',
    line: 'tailrace swarm roll',
    run: async (given, node) => {
      const { openSwarm, roll } = await import('./swarm.ts')
      await roll(await openSwarm(given), node)
    }
  },
  {
    name: 'dump [node]',
    text: 'Nodes write what runs to the standard error of the swarm; blocked ones their stack.',
    line: 'tailrace swarm dump 0',
    run: tells('/dump')
  },
  {
    name: 'memory',
    text: 'Says what the supervisor and its nodes have of memory, and what of it they share.',
    line: 'tailrace swarm memory',
    run: async (given) => {
      const [{ openSwarm }, { memory }] = await Promise.all([
        import('./swarm.ts'),
        import('./swarm-memory.ts')
      ])
      await memory(await openSwarm(given))
    }
  }
]
