// A static node that is restarted is back before anybody misses it: the group does not rebalance,
// and the other node keeps its tasks and its generation.
import assert from 'node:assert/strict'
import { scene } from '../process/run.ts'
import { ControlledSwarm } from './controlled.ts'

interface Held {
  readonly generation: number
  readonly tasks: readonly string[]
}

/** What a node says of itself when it is asked for a dump. */
async function heldBy(swarm: ControlledSwarm, node: number): Promise<Held> {
  const from = swarm.text.length
  assert.equal((await swarm.ask('POST', `/dump/${node}`)).status, 202)
  await swarm.process.line(/restoredRecords \d+, lostRecords \d+\n/, from)
  const text = swarm.text.slice(from)
  const [, generation] = text.match(new RegExp(`^node ${node}, .* generation (\\d+)`, 'm')) ?? []
  const tasks = [...text.matchAll(/^ +(\S+\/\d+): running/gm)].map(([, id = '']) => id)
  return { generation: Number(generation), tasks: tasks.toSorted() }
}

/** Resolves with what both hold once that is all there is, and twice the same. */
async function settled(swarm: ControlledSwarm, tasks: number): Promise<readonly [Held, Held]> {
  const until = performance.now() + 60_000
  let before = ''
  for (;;) {
    const [first, second] = [await heldBy(swarm, 0), await heldBy(swarm, 1)]
    const now = JSON.stringify([first, second])
    const isWhole = first.tasks.length + second.tasks.length === tasks && first.tasks.length > 0
    if (isWhole && now === before) return [first, second]
    before = now
    assert.ok(performance.now() < until, `it does not settle: ${now}`)
  }
}

scene(
  'the other node keeps its tasks, and the group its generation',
  async (one) => {
    await one.send(100)
    const env = { TAILRACE_STATIC: 'true', TAILRACE_SESSION_TIMEOUT: '10s' }
    const swarm = await ControlledSwarm.ready(one, { nodes: 2, env })
    const [first, second] = await settled(swarm, 8)
    const { pid } = await swarm.node(1)
    const other = await swarm.node(0)
    assert.equal((await swarm.ask('POST', '/restart/1')).status, 202)
    await swarm.until(({ nodes }) => nodes[1]?.isReady === true && nodes[1].pid !== pid)
    await one.send(100)
    await one.settled()
    assert.deepEqual(await heldBy(swarm, 0), first)
    assert.deepEqual(await heldBy(swarm, 1), second)
    assert.equal((await swarm.node(0)).pid, other.pid)
    await swarm.stop()
    await one.verify()
  },
  ['Kafka']
)
