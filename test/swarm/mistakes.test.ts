// What cannot work is told once, with its code, and no node is started; nothing becomes a loop.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { swarmScene, type SwarmStart } from './scene.ts'

interface Mistake extends SwarmStart {
  readonly name: string
  readonly said: RegExp
  readonly code?: number
}

const mistakes: readonly Mistake[] = [
  { name: 'no nodes', nodes: 0, said: /--nodes: is "0"; expected auto, or a whole number from 1/ },
  { name: 'a negative number of nodes', nodes: -2, said: /--nodes: is "-2"; expected auto, or/ },
  { name: 'half a node', nodes: 1.5, said: /--nodes: is "1.5"/ },
  {
    name: 'an agent that is none',
    args: ['--include-agents=wrok'],
    said: /agent "wrok": is no agent of the app\n.*Did you mean "work"\?/
  },
  {
    name: 'a topic that is none',
    args: ['--exclude-topics', 'nothing-like-it'],
    said: /topic "nothing-like-it": is no topic that an agent reads\n.*There are jobs/
  },
  {
    name: 'a selection that leaves nothing',
    args: ['--exclude-agents', 'work'],
    said: /leaves no agent to run; there are work/
  },
  {
    name: 'a log that nodes cannot share',
    env: { TAILRACE_BROKER: 'memory:' },
    said: /a swarm needs a log that its nodes share, and "memory:" lives in one process/
  },
  {
    name: 'a data directory of one worker',
    env: { TAILRACE_DATADIR: 'worker-3' },
    said: /datadir: is "worker-3", which by its name belongs to one worker/
  },
  {
    name: 'reports that are too rare',
    env: { TAILRACE_SWARM_HEALTH_INTERVAL: '40s', TAILRACE_SWARM_HEALTH_TIMEOUT: '60s' },
    said: /TAILRACE_SWARM_HEALTH_INTERVAL: is 40s; expected at most half of/
  },
  {
    name: 'a static node that is back too late',
    args: ['--static'],
    env: { TAILRACE_SWARM_BOOT_TIMEOUT: '50s', TAILRACE_SESSION_TIMEOUT: '30s' },
    said: /TAILRACE_SWARM_BOOT_TIMEOUT: and .* are 50s together; expected at most .*30s/
  },
  {
    name: 'a module that throws',
    module: '../process/throwing-module.ts',
    said: /TAILRACE_CONFIG_APP_THREW[^]*the module of the app throws/
  },
  {
    name: 'hooks that are not there',
    env: { TAILRACE_SWARM_HOOKS: './no-hooks.js' },
    said: /TAILRACE_CONFIG_HOOKS: swarm\.hooks is "\.\/no-hooks\.js", and \/.*\/no-hooks\.js/
  }
]

for (const { code = 64, name, said, ...start } of mistakes) {
  swarmScene(`${name}: code ${code}`, async (scene) => {
    const swarm = scene.swarm(start)
    await swarm.process.ends({ code })
    assert.match(swarm.text, said)
    assert.deepEqual(swarm.pids, [])
    const once = new RegExp(said.source, `${said.flags}g`)
    assert.equal(swarm.text.match(once)?.length, 1, 'it is told once')
  })
}

swarmScene('a port that is taken: code 1, with the node that would take it', async (scene, t) => {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const swarm = scene.swarm({ args: ['--web-port', String(address.port - 1)] })
  await swarm.process.ends({ code: 1 })
  const said = `port ${address.port} of 127.0.0.1, which node 1 would take, is used by another`
  assert.ok(swarm.text.includes(said), swarm.text)
  assert.deepEqual(swarm.pids, [])
})

swarmScene('a directory that is taken: code 1', async (scene) => {
  const first = await scene.swarm({ nodes: 1 }).ready(1)
  const second = scene.swarm({ nodes: 1 })
  await second.process.ends({ code: 1 })
  assert.match(second.text, /TAILRACE_STATE_LOCKED: .*worker-0 is in use by another worker/)
  assert.deepEqual(second.pids, [])
  await first.stop()
})

swarmScene('more nodes than tasks: said, and the others wait', async (scene) => {
  const swarm = await scene.swarm({ nodes: 6 }).ready(6)
  assert.match(swarm.text, /WARN: there are 4 tasks for 6 nodes: 2 nodes wait/)
  await swarm.stop()
})

swarmScene('auto is a node a core, and no more than there are tasks', async (scene) => {
  const swarm = scene.swarm({ nodes: 'auto' })
  const [, count] = await swarm.process.line(/^nodes +(\d+) \(auto: /m)
  await swarm.ready(Number(count))
  assert.ok(Number(count) >= 1 && Number(count) <= 4)
  await swarm.stop()
})

swarmScene('a node that never becomes ready: stopped, tried again, given up', async (scene) => {
  const env = { TAILRACE_SWARM_BOOT_TIMEOUT: '1s', TAILRACE_SWARM_MAX_RESTARTS: '1' }
  const swarm = scene.swarm({ module: 'never-ready.ts', nodes: 1, env })
  await swarm.process.ends({ code: 1 })
  await swarm.leavesNothing()
  assert.equal(swarm.events('node.stopping').filter(({ status }) => status === -1).length, 2)
  assert.match(swarm.text, /it has not reported within bootTimeout, 1s/)
})
