// TTIN and USR1: every node says what runs, and a blocked one shows where it hangs, and goes on.
import assert from 'node:assert/strict'
import { swarmScene } from './scene.ts'

for (const signal of ['SIGTTIN', 'SIGUSR1'] as const) {
  swarmScene(`${signal}: open events by the loop, the stack by the keeper`, async (scene) => {
    const swarm = await scene.swarm({ nodes: 2 }).ready(2)
    await scene.send({ id: 1, does: 'compute', ms: 4_000, partition: 0 })
    await swarm.event('begins', { id: 1 })
    // Until the keeper has seen it for a while the loop counts as busy, and not as blocked.
    const asking = setInterval(() => swarm.process.signal(signal), 500)
    const [line] = await swarm.process.line(
      /^.*node \d: its loop is blocked for .*computeForLong.*$/m
    )
    clearInterval(asking)
    assert.match(line, /"agent":"work"/)
    assert.match(line, /"stack":\[[^\]]*computeForLong \(file:[^"]*jobs\.ts:\d+:\d+\)"/)
    await swarm.process.line(/^node \d, worker .*: running/m)
    await swarm.event('done', { id: 1 })
    assert.equal(swarm.pids.length, 2)
    await swarm.stop()
    assert.equal(await scene.counted(), 1)
  })
}
