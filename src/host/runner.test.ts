// Apps that start, stop and send inside one program, on a log in memory.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { z } from 'zod'
import { hasCode, TailraceError } from '../core/errors.ts'
import { createApp } from './app.ts'
import type { StartOptions, Worker } from './runner.ts'

const quiet: StartOptions = { web: false, logLevel: 'silent' }

function counting() {
  const app = createApp({ id: 'counting', broker: 'memory:', commitInterval: 20 })
  const words = app.topic('words', { key: z.string(), value: z.string(), partitions: 2 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  const seen: string[] = []
  const waiting = new Map<number, () => void>()
  app.agent('count', { source: words, tables: { counts } }, async (events, { counts }) => {
    for await (const event of events) {
      counts.update(event.key, (count) => count + 1)
      seen.push(event.value)
      waiting.get(seen.length)?.()
    }
  })
  const sawCount = (count: number): Promise<void> =>
    new Promise((resolve) => {
      waiting.set(count, resolve)
      if (seen.length >= count) resolve()
    })
  return { app, counts, seen, sawCount, words }
}

async function started(
  t: TestContext,
  app: { start(options: StartOptions): Promise<Worker> },
  options: StartOptions = {}
): Promise<Worker> {
  const worker = await app.start({ ...quiet, ...options })
  t.after(() => worker.stop())
  return worker
}

test('what was sent before the start is there after it', async (t) => {
  const { app, counts, sawCount, words } = counting()
  const first = await words.send({ key: 'a', value: 'one' })
  assert.equal(first.topic, 'words')
  const worker = await started(t, app)
  await words.send({ key: 'a', value: 'two' })
  await sawCount(2)
  assert.equal(worker.status().state, 'running')
  assert.equal((await counts.query('a')).value, 2)
  assert.match(worker.dump(), /counting|words/)
})

test('an app runs once at a time, and again after it was stopped', async (t) => {
  const { app, counts, sawCount, seen, words } = counting()
  const worker = await started(t, app)
  await assert.rejects(app.start(quiet), (error) => hasCode(error, 'TAILRACE_CONFIG_STARTED'))
  await words.send({ key: 'a', value: 'one' })
  await sawCount(1)
  await worker.stop()
  assert.equal(await worker.ended, undefined)
  await words.send({ key: 'a', value: 'two' })
  await started(t, app)
  await sawCount(2)
  assert.deepEqual(seen, ['one', 'two'])
  assert.equal((await counts.query('a')).value, 2)
})

test('two starts at the same moment: one of them is refused', async (t) => {
  const { app } = counting()
  const starts = await Promise.allSettled([app.start(quiet), app.start(quiet)])
  for (const start of starts) if (start.status === 'fulfilled') t.after(() => start.value.stop())
  assert.deepEqual(starts.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
})

test('after the start nothing more can be declared', async (t) => {
  const { app } = counting()
  await started(t, app)
  assert.throws(
    () => app.topic('late'),
    (error) => hasCode(error, 'TAILRACE_CONFIG_STARTED')
  )
})

test('a start that fails leaves nothing behind: the next one works', async (t) => {
  const { app } = counting()
  await assert.rejects(app.start({ ...quiet, web: { host: '192.0.2.1' } }), (error) =>
    hasCode(error, 'TAILRACE_WEB_ADDRESS')
  )
  assert.equal((await started(t, app)).status().isReady, true)
})

test('the pages are served where they are asked for, and closed with the worker', async (t) => {
  const { app } = counting()
  app.web.get('/hello/', (c) => c.text('hello'))
  const worker = await started(t, app, { web: { port: 0 } })
  assert.ok(worker.url)
  assert.equal(await (await fetch(`${worker.url}/hello`)).text(), 'hello')
  assert.equal((await fetch(`${worker.url}/ready/`)).status, 200)
  await worker.stop()
  await assert.rejects(fetch(`${worker.url}/live`))
})

test('await using stops the worker', async () => {
  const { app } = counting()
  let worker: Worker
  {
    await using running = await app.start(quiet)
    worker = running
    assert.equal(worker.status().state, 'running')
  }
  assert.equal(worker.status().state, 'stopped')
})

test('stopped while it starts, it stops and the start is refused', async () => {
  const { app } = counting()
  const worker = await app.runner.prepare({ start: quiet, isJson: false, level: 'silent' })
  const starting = worker.start()
  await worker.stop({ reason: 'a change of mind' })
  await assert.rejects(starting, (error) => hasCode(error, 'TAILRACE_CONFIG_STOPPED'))
  assert.equal(await worker.ended, undefined)
})

test('a table asked where no worker runs says so', async () => {
  const { counts } = counting()
  await assert.rejects(counts.query('a'), (error) => hasCode(error, 'TAILRACE_TABLE_NOT_LOCAL'))
  assert.throws(() => counts.scan(), /no worker of its app runs/)
})

test('a topology that cannot run is refused before the start, with every problem', async () => {
  const app = createApp({ id: 'wrong', broker: 'memory:' })
  const a = app.topic('a', { partitions: 2 })
  const b = app.topic('b', { partitions: 3 })
  app.topic('a')
  const counts = app.table('t', { key: z.string(), value: z.number(), initial: () => 0 })
  app.agent('one', { source: a, tables: { counts } }, async () => {})
  app.agent('two', { source: b, tables: { counts } }, async () => {})
  const error: unknown = await app.start(quiet).catch((reason: unknown) => reason)
  assert.ok(hasCode(error, 'TAILRACE_TOPOLOGY_INVALID'), String(error))
  assert.match(error.message, /topic "a": is declared twice/)
  assert.match(error.message, /table "t": is written by the agents "one" and "two"/)
  assert.match(error.message, /agents "one", "two": share tasks/)
})

test('a log that is not known is refused by name', async () => {
  const cases = [
    ['kafak://localhost:9092', /did you mean "kafka:"\?/],
    ['embeded:./x', /did you mean "embedded:"\?/],
    ['nonsense', /is none that is known/],
    ['redis://me:secret@host?x=secret', /"redis:\/\/\*\*\*@host" is none/]
  ] as const
  for (const [broker, text] of cases) {
    const app = createApp({ id: 'lost', broker })
    const error: unknown = await app.start(quiet).catch((reason: unknown) => reason)
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_URL'), String(error))
    assert.match(error.message, text)
  }
})

test('a send that fails to open the log can be tried again', async () => {
  let isUp = false
  const app = createApp({
    id: 'late-log',
    transport: async () => {
      if (!isUp) throw new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'not yet')
      const { createMemoryTransport } = await import('../transport/memory/index.ts')
      const { MemoryBroker } = await import('../transport/memory/broker.ts')
      const { realClock } = await import('../runtime/real-clock.ts')
      return createMemoryTransport(new MemoryBroker({ clock: realClock }))
    }
  })
  const topic = app.topic('t')
  await assert.rejects(topic.send({ value: 1 }), /not yet/)
  isUp = true
  assert.equal((await topic.send({ value: 1 })).offset, 0n)
})
