// Static nodes on Kafka: each has a name of its own, and one that restarts moves nothing.
import assert from 'node:assert/strict'
import { tryKill } from '../process/gone.ts'
import { type Swarm, swarmScene } from './scene.ts'

/** Longer than a restart takes on a busy machine. */
const env = { TAILRACE_SESSION_TIMEOUT: '40s' }
const args = ['--instance-id=jobs']

/** Generation and tasks of node 0, as it says itself. */
async function stateOfFirst(swarm: Swarm): Promise<{ generation: string; tasks: string[] }> {
  const from = swarm.text.length
  tryKill(swarm.pidOf(0), 'SIGTTIN')
  const [, generation = ''] = await swarm.process.line(/^node 0, .* generation (\d+)$/m, from)
  await swarm.process.line(/lostRecords \d+\n/, from)
  const rows = swarm.text.slice(from).matchAll(/^ +(jobs\S*\/\d): running/gm)
  return { generation, tasks: [...rows].map(([, id = '']) => id).toSorted() }
}

swarmScene(
  'two nodes work, and a restart of one leaves the other as it is, killed or told',
  async (scene) => {
    const swarm = await scene.swarm({ nodes: 2, env, args }).ready(2)
    let sent = 0
    const work = async (): Promise<void> => {
      const until = (sent += 8)
      await scene.send(...Array.from({ length: 8 }, () => ({})))
      for (let id = until - 8; id < until; id++) await swarm.event('done', { id })
    }
    const workers = (): Set<unknown> =>
      new Set(
        swarm
          .events('done')
          .slice(-8)
          .map((one) => one['pid'])
      )
    // When both have done something of the same eight, whatever was to move has moved.
    do await work()
    while (workers().size < 2)
    const before = await stateOfFirst(swarm)
    assert.equal(before.tasks.length, 2)
    for (const [round, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
      tryKill(swarm.pidOf(1), signal)
      await swarm.event('node.ready', { node: 1 }, round + 2)
      await work()
      assert.equal(workers().size, 2)
      const after = await stateOfFirst(swarm)
      assert.deepEqual(after, before)
    }
    assert.doesNotMatch(swarm.text, /DUPLICATE_INSTANCE/)
    await swarm.stop()
  },
  ['Kafka']
)
