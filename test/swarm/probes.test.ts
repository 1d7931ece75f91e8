// What Kubernetes asks: is the supervisor in control, and are all nodes recovered.
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryKill } from '../process/gone.ts'
import { embeddedScene } from '../process/run.ts'
import { type Answer, ControlledSwarm } from './controlled.ts'

/** Asks until it is answered so. */
async function answered(swarm: ControlledSwarm, path: string, status: number): Promise<Answer> {
  const late = performance.now() + 60_000
  for (;;) {
    const answer = await swarm.ask('GET', path)
    if (answer.status === status) return answer
    assert.ok(performance.now() < late, `${path} stays ${answer.status}: ${answer.text}`)
    await sleep(20)
  }
}

embeddedScene('ready when each node is, live all the time', async (one) => {
  const swarm = await ControlledSwarm.start(one, { nodes: 2 })
  const live = await swarm.ask('GET', '/live')
  assert.equal(live.status, 200)
  assert.equal(JSON.parse(live.text).pid, swarm.process.pid)
  await answered(swarm, '/ready', 200)

  await writeFile(one.place('BREAK'), '')
  const { pid = 0 } = await swarm.node(1)
  tryKill(pid, 'SIGKILL')
  const { text } = await answered(swarm, '/ready', 503)
  assert.match(text, /"isReady":false/)
  assert.deepEqual(
    JSON.parse(text).waiting.map(({ id }: { readonly id: number }) => id),
    [1]
  )
  assert.equal((await swarm.ask('GET', '/live')).status, 200)
  await rm(one.place('BREAK'))
  await answered(swarm, '/ready', 200)
  await swarm.stop()
})

embeddedScene('live, and not ready, while it drains', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 2 })
  await writeFile(one.place('HOLD'), '')
  await one.send(20)
  await swarm.process.line(/^holds$/m)
  swarm.process.signal('SIGTERM')
  await swarm.until(({ state }) => state === 'stopping')
  // The node that has nothing open goes first: what is left drains.
  await swarm.until(({ nodes }) => nodes.some(({ phase }) => phase === 'ended'))
  const live = await swarm.ask('GET', '/live')
  assert.equal(live.status, 200, live.text)
  assert.match(live.text, /"state":"stopping"/)
  const ready = await swarm.ask('GET', '/ready')
  assert.equal(ready.status, 503)
  assert.match(ready.text, /node \d stops/)
  await rm(one.place('HOLD'))
  await swarm.process.ends({ code: 0 })
  await one.finish()
})

// It looks every second: of a supervisor in order so short a limit says what a long one would say
// of one that hangs.
embeddedScene('not live when its last look is older than the limit', async (one) => {
  const env = { TAILRACE_SWARM_CONTROL_TIMEOUT: '10ms' }
  const swarm = await ControlledSwarm.ready(one, { nodes: 1, env })
  const { text } = await answered(swarm, '/live', 500)
  assert.match(text, /"isLive":false/)
  assert.match(text, /has not looked at its nodes for \d+ms; expected at most 10ms/)
  await swarm.stop()
})
