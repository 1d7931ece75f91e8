// Nodes of a swarm killed under load, again and again: no result is lost or doubled.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { tryKill } from '../process/gone.ts'
import { scene } from '../process/run.ts'

const kills = 4
/** Each of them is waited for, and on Kafka that takes a session. */
const limitMs = 240_000

scene('exactly-once across kills of nodes', async (one) => {
  const swarm = one.worker({
    module: '../../bin/tailrace.js',
    args: ['-A', join(import.meta.dirname, 'visits-app.ts'), 'swarm', '--nodes=2', '--json'],
    env: { TAILRACE_SWARM_RESTART_DELAY: '50ms', TAILRACE_SWARM_RESTART_DELAY_MAX: '50ms' }
  })
  const started = (): readonly { readonly node: number; readonly pid: number }[] =>
    swarm.text.split('\n').flatMap((line) => {
      const found = /^\{.*"event":"started".*"pid":(\d+),"node":(\d)/.exec(line)
      return found === null ? [] : [{ pid: Number(found[1]), node: Number(found[2]) }]
    })
  await swarm.until(() => started().length >= 2 || swarm.hasEnded, 'two nodes')
  let isOver = false
  const load = one.sendUntil(() => isOver, { slice: 20, everyMs: 10, limitMs })
  for (let kill = 0; kill < kills; kill++) {
    await one.progress(300)
    const before = started()
    const victim = before.findLast(({ node }) => node === kill % 2) ?? assert.fail('no node')
    one.owns(victim.pid)
    tryKill(victim.pid, 'SIGKILL')
    await swarm.until(() => started().length > before.length || swarm.hasEnded, 'it is back')
  }
  isOver = true
  await load
  await one.settled()
  for (const { pid } of started()) one.owns(pid)
  await swarm.stop()
  await one.verify()
})
