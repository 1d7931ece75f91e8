// What tells nodes apart: directory, port, `/status` and every log line.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { swarmScene } from './scene.ts'

interface Started {
  readonly node: number
  readonly supervisorPid: number
  readonly pid: number
  readonly directory: string
  readonly web: string
}

swarmScene('node and supervisorPid stand in reports, status and logs', async (scene) => {
  const args = ['--json', '--web-port', '0']
  const swarm = await scene.swarm({ nodes: 2, args }).ready(2)
  const lines = swarm.text.split('\n').filter((line) => line.startsWith('{'))
  const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const started = lines
    .filter((line) => line.includes('"event":"started"'))
    .map((line) => JSON.parse(line) as Started)
  assert.equal(started.length, 2)
  for (const { directory, node, pid, supervisorPid, web } of started) {
    assert.equal(supervisorPid, swarm.process.pid)
    assert.equal(pid, swarm.pidOf(node))
    assert.equal(directory, join(scene.directory, 'data', `worker-${node}`))
    assert.ok(existsSync(directory))
    const status = (await (await fetch(`${web}/status`)).json()) as { node: unknown }
    assert.deepEqual(status.node, { id: node, count: 2, supervisorPid })
  }
  const logged = all.filter((line) => 'level' in line && line['pid'] !== swarm.process.pid)
  assert.ok(logged.length > 0)
  for (const { node, pid, supervisorPid } of logged) {
    assert.equal(pid, swarm.pidOf(Number(node)))
    assert.equal(supervisorPid, swarm.process.pid)
  }
  const report = all.find(({ event }) => event === 'swarm')
  assert.equal(report?.['nodes'], 2)
  await swarm.stop()
})
