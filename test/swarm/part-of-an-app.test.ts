// Two swarms of one app and one log, each told to run another part: tasks go where they are known.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { everyLog } from '../process/logs.ts'
import { type SwarmScene, swarmScene } from './scene.ts'
import { twoAgents } from './two-agents.ts'

const module = 'two-agents.ts'

const name = 'each runs what it was told, and what nobody was told waits'

const run = async (scene: SwarmScene): Promise<void> => {
  const start = (args: readonly string[], data: string): ReturnType<typeof scene.swarm> =>
    scene.swarm({
      module,
      nodes: 1,
      args,
      env: { TAILRACE_DATADIR: join(scene.directory, data) }
    })
  const { app, left, right } = twoAgents(scene.log.suffix, { broker: scene.log.ownBroker })
  const send = async (from: number): Promise<void> => {
    for (const id of [from, from + 1, from + 2, from + 3]) {
      for (const topic of [left, right])
        await topic.send({ key: null, value: id, partition: id % 2 })
    }
  }
  try {
    const first = await start(['--include-agents', 'lefty'], 'first').ready(1)
    await send(0)
    for (let id = 0; id < 4; id++) await first.event('done', { agent: 'lefty', id })
    const second = await start([`--exclude-topics=${left.name}`], 'second').ready(1)
    for (let id = 0; id < 4; id++) await second.event('done', { agent: 'righty', id })
    await send(4)
    for (let id = 4; id < 8; id++) {
      await first.event('done', { agent: 'lefty', id })
      await second.event('done', { agent: 'righty', id })
    }
    assert.ok(first.events('done').every(({ agent }) => agent === 'lefty'))
    assert.ok(second.events('done').every(({ agent }) => agent === 'righty'))
    await first.stop()
    await send(8)
    for (let id = 8; id < 12; id++) await second.event('done', { agent: 'righty', id })
    assert.ok(
      second.events('done').every(({ agent }) => agent === 'righty'),
      'nor takes over'
    )
    await second.stop()
  } finally {
    await app.runner.close()
  }
}

swarmScene(name, run, everyLog)
