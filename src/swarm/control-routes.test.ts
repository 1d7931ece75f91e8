// What the control port answers, and to whom: every path, refusal and probe, without a socket.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ControlRequest } from './control-guard.ts'
import { answerControl, type Controlled } from './control-routes.ts'
import type { NodeStatus, SwarmStatus } from './swarm-status.ts'

const node: NodeStatus = {
  id: 0,
  pid: 11,
  phase: 'running',
  isReady: true,
  unready: undefined,
  uptimeMs: 1_000,
  restarts: 0,
  web: 'http://127.0.0.1:6066',
  health: undefined,
  lastExit: undefined
}

const well: SwarmStatus = {
  app: 'orders',
  pid: 10,
  state: 'running',
  controlledMs: 400,
  roll: undefined,
  nodes: [node, { ...node, id: 1, pid: 12 }]
}

class Fake implements Controlled {
  readonly told: string[] = []
  readonly now: SwarmStatus
  readonly refusesRoll: string | undefined

  constructor(now: Partial<SwarmStatus> = {}, refusesRoll?: string) {
    this.now = { ...well, ...now }
    this.refusesRoll = refusesRoll
  }

  status(): SwarmStatus {
    return this.now
  }

  stop({ reason }: { readonly reason: string }): void {
    this.told.push(`stop ${reason}`)
  }

  quiet(): void {
    this.told.push('quiet')
  }

  dump(only?: number): void {
    this.told.push(`dump ${only ?? 'all'}`)
  }

  restart(id: number): void {
    this.told.push(`restart ${id}`)
  }

  roll(only?: number): string | undefined {
    this.told.push(`roll ${only ?? 'all'}`)
    return this.refusesRoll
  }
}

const local: ControlRequest = {
  method: 'GET',
  path: '/status',
  host: '127.0.0.1:6065',
  origin: undefined,
  fetchSite: undefined,
  isLocal: true
}

function ask(supervisor: Fake, request: Partial<ControlRequest>, controlTimeoutMs: number = 1_000) {
  const parts = { supervisor, controlTimeoutMs, rssBytes: () => 50_000_000 }
  const { body, status } = answerControl({ ...local, ...request }, parts)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { status, text }
}

const post = (path: string): Partial<ControlRequest> => ({ method: 'POST', path })

const commands: readonly (readonly [path: string, told: string])[] = [
  ['/quiet', 'quiet'],
  ['/stop', 'stop the control port'],
  ['/restart/1', 'restart 1'],
  ['/roll', 'roll all'],
  ['/roll/1', 'roll 1'],
  ['/dump', 'dump all'],
  ['/dump/0', 'dump 0']
]

for (const [path, told] of commands) {
  test(`POST ${path} is told to the supervisor`, () => {
    const swarm = new Fake()
    assert.equal(ask(swarm, post(path)).status, 202)
    assert.deepEqual(swarm.told, [told])
  })

  test(`GET ${path} does nothing`, () => {
    const swarm = new Fake()
    assert.equal(ask(swarm, { path }).status, 405)
    assert.equal(ask(swarm, { path, method: 'DELETE' }).status, 405)
    assert.deepEqual(swarm.told, [])
  })
}

const wrong: readonly (readonly [path: string, said: RegExp])[] = [
  ['/restart', /needs a node: \/restart\/0/],
  ['/restart/2', /there is no node \\"2\\": there are nodes 0 to 1/],
  ['/restart/-1', /there is no node \\"-1\\"/],
  ['/restart/1e0', /there is no node/],
  ['/dump/one', /there is no node \\"one\\"/],
  ['/quiet/0', /takes none/],
  ['/roll/0/0', /POST \/roll\/0\/0 is not here/],
  ['/constructor', /is not here/],
  ['/', /is not here/],
  ['/nothing', /is not here/]
]

for (const [path, said] of wrong) {
  test(`POST ${path} is 404, and says why`, () => {
    const swarm = new Fake()
    const { status, text } = ask(swarm, post(path))
    assert.equal(status, 404)
    assert.match(text, said)
    assert.deepEqual(swarm.told, [])
  })
}

const rolling = { state: 'rolling', nodes: [0, 1], done: [], reason: undefined } as const

const refused: readonly (readonly [path: string, now: Partial<SwarmStatus>, said: RegExp])[] = [
  ['/restart/0', { state: 'quiet' }, /the swarm is quiet: nothing is started again/],
  ['/restart/0', { state: 'stopping' }, /the swarm is stopping/],
  ['/restart/0', { roll: rolling }, /the swarm rolls, one node at a time/],
  ['/restart/0', { nodes: [{ ...node, phase: 'stopping' }] }, /node 0 stops already/],
  ['/quiet', { state: 'stopping' }, /the swarm is stopping/]
]

for (const [path, now, said] of refused) {
  test(`POST ${path} is 409 when ${said.source}`, () => {
    const swarm = new Fake(now)
    const { status, text } = ask(swarm, post(path))
    assert.equal(status, 409)
    assert.match(text, said)
    assert.deepEqual(swarm.told, [])
  })
}

test('a roll that cannot begin is 409, with what the supervisor says', () => {
  const { status, text } = ask(new Fake({}, 'the swarm rolls already'), post('/roll'))
  assert.equal(status, 409)
  assert.match(text, /the swarm rolls already/)
})

test('live: as long as its last look is within the limit, whatever becomes of its nodes', () => {
  const gone = [{ ...node, phase: 'ended', isReady: false } as const]
  for (const state of ['running', 'quiet', 'stopping'] as const) {
    const swarm = new Fake({ state, nodes: gone })
    assert.equal(ask(swarm, { path: '/live' }, 400).status, 200)
    const { status, text } = ask(swarm, { path: '/live' }, 399)
    assert.equal(status, 500)
    assert.match(
      text,
      /"isLive":false.*has not looked at its nodes for 400ms; expected at most 399ms/
    )
  }
})

test('ready: when every node is, else which are not', () => {
  assert.equal(ask(new Fake(), { path: '/ready' }).status, 200)
  const nodes = [node, { ...node, id: 1, phase: 'booting', isReady: false } as const]
  const { status, text } = ask(new Fake({ nodes }), { path: '/ready' })
  assert.equal(status, 503)
  assert.match(text, /"reason":"node 1 starts","waiting":\[\{"id":1,"phase":"booting"/)
  const restoring = [{ ...node, isReady: false, unready: '4 of 4 tasks are being restored' }]
  const again = ask(new Fake({ nodes: restoring }), { path: '/ready' })
  assert.equal(again.status, 503)
  assert.match(again.text, /node 0: 4 of 4 tasks are being restored/)
})

test('the page escapes whatever a node says, and links only to pages', () => {
  const odd = '<script>alert("x")</script>'
  const health = {
    kind: 'health',
    code: 2,
    reason: `agent ${odd}`,
    rssBytes: 1e6,
    heapPercent: 1,
    loopMs: 0,
    oldest: undefined,
    stack: []
  } as const
  const nodes = [
    { ...node, health, web: `javascript:${odd}` },
    { ...node, id: 1, web: 'http://127.0.0.1:1/"><b>' }
  ]
  const { status, text } = ask(new Fake({ app: odd, nodes }), { path: '/' })
  assert.equal(status, 200)
  assert.doesNotMatch(text, /<script|<b>/)
  assert.equal(text.match(/<a /g)?.length, 1)
  assert.match(text, /<a href="http:\/\/127\.0\.0\.1:1\/&#34;&#62;&#60;b&#62;">/)
  assert.equal(text.match(/<tr>/g)?.length, 3)
})

const foreign: readonly (readonly [what: string, request: Partial<ControlRequest>])[] = [
  ['a page of another origin', { origin: 'https://evil.example' }],
  ['a page of another port here', { origin: 'http://127.0.0.1:8080' }],
  ['a page without an origin', { origin: 'null' }],
  ['a page of another site, by what its browser says', { fetchSite: 'cross-site' }],
  ['a page of the same site', { fetchSite: 'same-site' }],
  ['a name that was made to lead here', { host: 'evil.example:6065' }],
  ['a name that begins like an address', { host: '127.0.0.1.evil.example:6065' }],
  ['no name at all', { host: undefined }],
  ['another machine', { isLocal: false }]
]

for (const [what, request] of foreign) {
  test(`a command of ${what} is refused, and says why`, () => {
    const swarm = new Fake()
    const { status, text } = ask(swarm, { ...post('/stop'), ...request })
    assert.equal(status, 403)
    assert.match(text, /"error":"(?:the request|only programs of this machine)/)
    assert.deepEqual(swarm.told, [])
  })
}

const own: readonly (readonly [what: string, request: Partial<ControlRequest>])[] = [
  ['a program', {}],
  ['a program that says localhost', { host: 'localhost:6065' }],
  ['a program over IPv6', { host: '[::1]:6065' }],
  ['a page of ours', { origin: 'http://127.0.0.1:6065', fetchSite: 'same-origin' }]
]

for (const [what, request] of own) {
  test(`a command of ${what} is taken`, () => {
    assert.equal(ask(new Fake(), { ...post('/quiet'), ...request }).status, 202)
  })
}

test('another machine is told of probes alone, by whatever name it asks', () => {
  const swarm = new Fake()
  const from = { isLocal: false, host: 'pod-7.example:6065' }
  assert.equal(ask(swarm, { ...from, path: '/live' }).status, 200)
  assert.equal(ask(swarm, { ...from, path: '/ready', method: 'HEAD' }).status, 200)
  for (const path of ['/', '/status', '/nothing']) {
    assert.equal(ask(swarm, { ...from, path }).status, 403, path)
  }
  // A probe is read: what is sent to its path is a command like any other.
  assert.equal(ask(swarm, { ...from, ...post('/live') }).status, 403)
})

test('a page that a name leads to cannot read', () => {
  for (const path of ['/', '/status']) {
    assert.equal(ask(new Fake(), { path, host: 'evil.example' }).status, 403)
  }
})
