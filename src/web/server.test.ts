// The web server: health pages, pages of the app beside them, errors, and a port that is taken.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { HTTPException } from 'hono/http-exception'
import { hasCode, TailraceError } from '../core/errors.ts'
import { type Log, silentLog } from '../runtime/log.ts'
import { newCounters } from '../runtime/monitor.ts'
import type { WorkerStatus } from '../runtime/worker.ts'
import { createPages } from './pages.ts'
import { webHandler } from './routes.ts'
import { startWeb } from './server.ts'

const running: WorkerStatus = {
  state: 'running',
  node: undefined,
  isQuiet: false,
  isReady: true,
  reason: undefined,
  memberId: 'm',
  generation: 1,
  isLeader: false,
  leaderEpoch: undefined,
  tasks: [],
  cacheBytes: 0,
  background: [],
  counters: newCounters()
}

interface Scene {
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly pages: ReturnType<typeof createPages>
  readonly logged: object[]
  status: WorkerStatus | undefined
}

function scene(): Scene {
  const logged: object[] = []
  const log: Log = { ...silentLog, error: (fields) => logged.push(fields) }
  const pages = createPages()
  const made: Scene = {
    pages,
    logged,
    status: running,
    get: async (path, init) => handler(new Request(`http://x${path}`, init))
  }
  const handler = webHandler({ pages, status: () => made.status, log })
  return made
}

async function open(t: TestContext, port = 0): Promise<{ url: string; close(): Promise<void> }> {
  const options = { host: '127.0.0.1', port, pages: createPages(), log: silentLog }
  const server = await startWeb({ ...options, status: () => running })
  t.after(() => server.close())
  return server
}

test('ready says why it is not, until it is', async () => {
  const one = scene()
  one.status = undefined
  const starting = await one.get('/ready')
  assert.equal(starting.status, 503)
  assert.equal(starting.headers.get('retry-after'), '1')
  one.status = { ...running, isReady: false, reason: '2 tables are being restored' }
  const restoring = await one.get('/ready/')
  assert.equal(restoring.status, 503)
  assert.deepEqual(await restoring.json(), {
    isReady: false,
    reason: '2 tables are being restored'
  })
  assert.equal((await one.get('/live')).status, 200)
  one.status = running
  assert.deepEqual(await (await one.get('/ready')).json(), { isReady: true })
  assert.equal(((await (await one.get('/status')).json()) as WorkerStatus).generation, 1)
})

test('HEAD has the status and no body; another method is refused', async () => {
  const head = await scene().get('/live', { method: 'HEAD' })
  assert.equal(head.status, 200)
  assert.equal(await head.text(), '')
  assert.equal((await scene().get('/live', { method: 'POST' })).status, 405)
})

test('a page answers with and without a slash at its end', async () => {
  const one = scene()
  one.pages.get('/count/', (c) => c.text('count'))
  one.pages.get('/views/:page', (c) => c.text(c.req.param('page')))
  one.pages.get('/', (c) => c.text('home'))
  for (const path of ['/count', '/count/', '/count/?a=1']) {
    assert.equal(await (await one.get(path)).text(), 'count', path)
  }
  assert.equal(await (await one.get('/views/a')).text(), 'a')
  assert.equal(await (await one.get('/views/a/')).text(), 'a')
  assert.equal(await (await one.get('/')).text(), 'home')
  const missing = await one.get('/nowhere')
  assert.equal(missing.status, 404)
  assert.deepEqual(await missing.json(), { error: 'GET /nowhere is not here' })
})

test('a page that the app declares itself comes before ours, its middleware does not', async () => {
  const one = scene()
  one.pages.use('*', async (c) => c.text('who are you?', 401))
  assert.equal((await one.get('/live')).status, 200)
  assert.equal((await one.get('/other')).status, 401)
  const two = scene()
  two.pages.get('/ready/', (c) => c.text('my own'))
  assert.equal(await (await two.get('/ready')).text(), 'my own')
})

test('a page that throws answers 500 with the message, and is logged', async () => {
  const one = scene()
  const error = new Error('out of paper')
  one.pages.get('/print', () => {
    throw error
  })
  one.pages.get('/later', async () => {
    await Promise.resolve()
    throw error
  })
  for (const path of ['/print', '/later']) {
    const answer = await one.get(path)
    assert.equal(answer.status, 500)
    assert.deepEqual(await answer.json(), { error: 'out of paper' })
  }
  assert.deepEqual(one.logged, [
    { error, method: 'GET', path: '/print' },
    { error, method: 'GET', path: '/later' }
  ])
})

test('what is elsewhere, or not yet here, has its own status', async () => {
  const one = scene()
  const context = { owner: 'http://b:6066' }
  const elsewhere = new TailraceError('TAILRACE_TABLE_NOT_LOCAL', 'ask b', { context })
  one.pages.get('/elsewhere', () => Promise.reject(elsewhere))
  one.pages.get('/soon', () => Promise.reject(new TailraceError('TAILRACE_TABLE_NOT_READY', 'x')))
  one.pages.get('/teapot', () => Promise.reject(new HTTPException(418)))
  const answer = await one.get('/elsewhere')
  assert.equal(answer.status, 421)
  assert.equal(((await answer.json()) as typeof context).owner, 'http://b:6066')
  const soon = await one.get('/soon')
  assert.equal(soon.status, 503)
  assert.equal(soon.headers.get('retry-after'), '1')
  assert.equal((await one.get('/teapot')).status, 418)
  assert.deepEqual(one.logged, [])
})

test('the app can answer its errors itself', async () => {
  const one = scene()
  one.pages.onError((_, c) => c.text('sorry', 500))
  one.pages.get('/print', () => Promise.reject(new Error('out of paper')))
  assert.equal(await (await one.get('/print')).text(), 'sorry')
})

test('a server listens, answers, and closes although a connection is kept alive', async (t) => {
  const server = await open(t)
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  const answer = await fetch(`${server.url}/live`)
  assert.equal(answer.status, 200)
  await answer.text()
  await server.close()
  await assert.rejects(fetch(`${server.url}/live`))
})

test('a port that is taken is told together with one that is free', async (t) => {
  const first = await open(t)
  const taken = Number(new URL(first.url).port)
  const error: unknown = await open(t, taken).catch((reason: unknown) => reason)
  assert.ok(hasCode(error, 'TAILRACE_WEB_PORT_TAKEN'), String(error))
  const free = Number(/port (\d+) is free/.exec(error.message)?.[1])
  assert.ok(free > taken)
  assert.match(error.hint, new RegExp(`--web-port ${free}`))
  await open(t, free)
})

test('an address that is not of this machine is refused', async () => {
  const options = { port: 0, pages: createPages(), log: silentLog, status: () => running }
  await assert.rejects(startWeb({ ...options, host: '192.0.2.1' }), (error) =>
    hasCode(error, 'TAILRACE_WEB_ADDRESS')
  )
})
