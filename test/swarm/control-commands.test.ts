// Each command of a swarm, told by a program that knows nothing of the app.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { embeddedScene } from '../process/run.ts'
import { ControlledSwarm, runCommand } from './controlled.ts'

embeddedScene('status, memory, dump, restart, roll of one, quiet, stop', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 2 })
  const [first, second] = await swarm.pids()

  const status = await swarm.command('status')
  assert.equal(status.code, 0, status.text)
  assert.match(status.text, new RegExp(`^visits: running, supervisor pid ${swarm.process.pid}, `))
  assert.match(status.text, new RegExp(`^0 +${first} +running +yes .* well `, 'm'))
  const data = await swarm.command('status', '--json')
  assert.equal(JSON.parse(data.text).nodes[1].pid, second)

  const memory = JSON.parse((await swarm.command('memory', '--json')).text)
  assert.deepEqual(
    memory.processes.map(({ pid }: { readonly pid: number }) => pid),
    [swarm.process.pid, first, second]
  )
  for (const { pssBytes, rssBytes, ussBytes } of memory.processes) {
    assert.ok(ussBytes > 0 && ussBytes <= pssBytes && pssBytes < rssBytes)
  }

  const dumped = await swarm.command('dump', '1')
  assert.equal(dumped.code, 0, dumped.text)
  await swarm.process.line(/^node 1, worker .*running, ready/m)
  assert.doesNotMatch(swarm.text, /^node 0, worker/m)

  assert.match(
    (await swarm.command('restart', '1')).text,
    /^node 1 stops, and starts again at once/
  )
  const restarted = await swarm.until(({ nodes }) => {
    return nodes[1]?.isReady === true && nodes[1].pid !== second
  })
  assert.equal(restarted.nodes[0]?.pid, first)
  assert.equal(restarted.nodes[1]?.restarts, 0, 'it was asked for')

  const rolled = await swarm.command('roll', '0')
  assert.equal(rolled.code, 0, rolled.text)
  assert.match(rolled.text, /^node 0 is rolled\nnode 0 was started anew, and is ready$/m)
  assert.deepEqual((await swarm.pids())[1], restarted.nodes[1]?.pid)
  assert.notEqual((await swarm.pids())[0], first)

  assert.equal((await swarm.command('quiet')).code, 0)
  await swarm.until(({ state }) => state === 'quiet')
  const refused = await swarm.command('restart', '0', '--json')
  assert.equal(refused.code, 1)
  assert.equal(JSON.parse(refused.text).code, 'TAILRACE_SWARM_REFUSED')

  const stopped = await swarm.command('stop')
  assert.equal(stopped.text, 'the swarm stops\n')
  await swarm.process.ends({ code: 0 })
})

embeddedScene('who says nothing sensible is told so', async (one) => {
  const none = await runCommand(one, ['status'])
  assert.equal(none.code, 1)
  assert.match(none.text, /TAILRACE_SWARM_NOT_FOUND: no swarm runs from "/)

  const swarm = await ControlledSwarm.ready(one, { nodes: 1 })
  const unknown = await swarm.command('restart', '7')
  assert.equal(unknown.code, 1)
  assert.match(unknown.text, /TAILRACE_SWARM_REFUSED: there is no node "7": the only one is node 0/)
  assert.equal((await swarm.command('restart')).code, 64, 'it needs a node')
  assert.equal((await swarm.command('status', '--control-port=many')).code, 64)
  assert.equal((await swarm.command('status', `--control-port=${swarm.port}`)).code, 0)
  const elsewhere = await swarm.command('status', '--datadir=elsewhere')
  assert.match(elsewhere.text, /no swarm runs from "elsewhere"/)

  // What it leaves when it is killed leads nobody on.
  await swarm.process.kill()
  const stale = await runCommand(one, ['quiet'])
  assert.equal(stale.code, 1)
  assert.match(stale.text, new RegExp(`any more: .*swarm.json is of pid ${swarm.process.pid}`))
  const port = await runCommand(one, ['quiet', `--control-port=${swarm.port}`])
  assert.match(port.text, /no swarm answers at port/)
})

embeddedScene('a file that names the port of another is not believed', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 1 })
  const wrong = { app: 'visits', host: '127.0.0.1', pid: 1, port: swarm.port }
  await writeFile(one.place('data/swarm.json'), JSON.stringify(wrong))
  const { code, text } = await swarm.command('stop')
  assert.equal(code, 1)
  assert.match(text, /is of pid 1, which does not answer/)
  await swarm.stop()
})
