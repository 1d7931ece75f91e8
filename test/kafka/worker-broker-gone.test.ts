// Brokers that die under whole workers: said, not ready meanwhile, gone on with, and counted once.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../scripts/kafka/ports.ts'
import type { SceneWorker } from '../process/run.ts'
import type { WorkerProcess } from '../process/worker-process.ts'
import { type OwnScene, ownScene, underLoad, until } from './harmed-scene.ts'

const timeout = 300_000
const withPages: SceneWorker = { env: { TAILRACE_WEB: 'true', TAILRACE_WEB_PORT: '0' } }

/** What the worker answers to who asks whether it is ready. */
async function readiness(worker: WorkerProcess): Promise<{ status: number; text: string }> {
  const [, url] = await worker.line(/^web +(http\S+)/m)
  const answer = await fetch(new URL('/ready', url))
  return { status: answer.status, text: await answer.text() }
}

test('a broker that is killed and comes back', { timeout }, async (t) => {
  const { broker, scene } = await ownScene(t)
  await scene.send(300)
  const worker = await scene.worker(withPages).started()
  let isOver = false
  const load = underLoad(scene, () => isOver)
  await scene.progress(100)
  await broker.cluster.node().kill()
  await until(async () => (await readiness(worker)).status === 503, 'the worker to be not ready')
  assert.match((await readiness(worker)).text, /the broker has not answered for/)
  await worker.line(/WARN/)
  await broker.cluster.node().start()
  const backMs = performance.now()
  await until(async () => (await readiness(worker)).status === 200, 'the worker to be ready again')
  await scene.progress(100)
  t.diagnostic(`went on ${Math.round(performance.now() - backMs)} ms after the broker was back`)
  isOver = true
  await load
  await scene.settled()
  const lines = worker.text.split('\n').filter((line) => /WARN|ERROR/.test(line))
  t.diagnostic(`${lines.length} lines of trouble`)
  assert.ok(lines.length < 60, `too many lines:\n${worker.text}`)
  await worker.stop()
  await scene.verify()
})

test('connections that are cut again and again leave nothing behind', { timeout }, async (t) => {
  const { broker, scene } = await ownScene(t)
  await scene.send(300)
  const worker = await scene.worker().started()
  let isOver = false
  const load = underLoad(scene, () => isOver)
  const open: number[] = []
  for (let cut = 0; cut < 12; cut++) {
    await scene.progress(20)
    open.push(readdirSync(`/proc/${worker.pid}/fd`).length)
    broker.proxy.cut()
  }
  isOver = true
  await load
  await scene.settled()
  t.diagnostic(`open files: ${open.join(' ')}`)
  assert.ok(Math.max(...open.slice(6)) <= Math.max(...open.slice(0, 6)) + 6, open.join(' '))
  assert.doesNotMatch(worker.text, /MaxListeners/)
  await worker.stop()
  await scene.verify()
})

test('a worker alone that sleeps beyond its transaction', { timeout }, async (t) => {
  const { scene } = await ownScene(t)
  await scene.send(300)
  const env = { TAILRACE_STALL_TIMEOUT: '1s', TAILRACE_COMMIT_TIMEOUT: '1s' }
  const worker = scene.worker({ failpoint: 'kafka.end.sent:5:stop', env })
  await underLoad(scene, () => worker.isAsleep)
  // The time of its transaction: `stallTimeout`, twice `commitTimeout`, 10 ms and 30 s.
  await sleep(35_000)
  worker.signal('SIGCONT')
  await scene.send(100)
  await scene.settled()
  await worker.stop()
  await scene.verify()
})

test('a broker that is away for longer than brokerTimeout', { timeout }, async (t) => {
  const { broker, scene } = await ownScene(t)
  await scene.send(300)
  const env = { TAILRACE_BROKER_TIMEOUT: '4s' }
  const worker = await scene.worker({ env }).started()
  await broker.cluster.node().kill()
  const goneMs = performance.now()
  await worker.ends({ code: 1 })
  t.diagnostic(`ended ${Math.round(performance.now() - goneMs)} ms after the broker did`)
  assert.match(worker.text, /the broker has not answered for brokerTimeout \(4s\)/)
  await broker.cluster.node().start()
  await scene.send(100)
  await scene.finish()
})

test('a broker that is not there at the start', { timeout }, async (t) => {
  const { broker, scene } = await ownScene(t)
  await broker.proxy.refuse()
  const worker = scene.worker()
  await worker.titled()
  await worker.ends({ code: 1 })
  assert.match(worker.text, new RegExp(`127\\.0\\.0\\.1:${broker.proxy.ports[0]}`))
  assert.match(worker.text, /TAILRACE_TRANSPORT_UNAVAILABLE/)
})

test('a broker that is back while a join waits does not count as away', { timeout }, async (t) => {
  const { broker, scene } = await ownScene(t)
  await scene.send(300)
  const worker = await scene.worker({ env: { TAILRACE_BROKER_TIMEOUT: '9s' } }).started()
  // Longer than its session: what it does first when the broker is back is to join.
  await broker.proxy.refuse()
  await worker.line(/WARN.*the group cannot be asked/)
  await sleep(3_000)
  const held = broker.proxy.next('JoinGroup', 'hold-request')
  await broker.proxy.accept()
  await held.happened
  await worker.line(/the broker answers again/)
  await sleep(9_000)
  assert.ok(!worker.hasEnded, worker.text)
  held.release()
  await scene.send(300)
  await scene.settled()
  await worker.stop()
  await scene.verify()
})

/** Asleep with its own connections open and none of its keeper; then the broker is killed. */
async function betweenConnections(
  { broker, scene }: OwnScene,
  env: Readonly<Record<string, string>> = {}
): Promise<WorkerProcess> {
  const worker = scene.worker({ failpoint: 'keeper.starting:1:stop', env })
  await until(() => worker.isAsleep, 'the worker to be between its connections')
  await broker.cluster.node().kill()
  worker.signal('SIGCONT')
  return worker
}

test('a broker that dies between the connections of a start is waited for', {
  timeout
}, async (t) => {
  const own = await ownScene(t)
  const { broker, scene } = own
  await scene.send(300)
  const [port] = await freePorts(1)
  const worker = await betweenConnections(own, {
    TAILRACE_WEB: 'true',
    TAILRACE_WEB_PORT: `${port}`
  })
  await worker.line(/WARN.*the group cannot be asked/)
  const refused = await fetch(`http://127.0.0.1:${port}/ready`)
  assert.equal(refused.status, 503)
  assert.match(await refused.text(), /the broker has not answered for/)
  await broker.cluster.node().start()
  await worker.started()
  await scene.settled()
  await worker.stop()
  await scene.verify()
})

test('between the connections of a start, too, it is waited for no longer than brokerTimeout', {
  timeout
}, async (t) => {
  const own = await ownScene(t)
  await own.scene.send(300)
  const begunMs = performance.now()
  const worker = await betweenConnections(own, { TAILRACE_BROKER_TIMEOUT: '4s' })
  await worker.ends({ code: 1 })
  t.diagnostic(`ended after ${Math.round(performance.now() - begunMs)} ms`)
  assert.match(worker.text, /the broker has not answered for brokerTimeout \(4s\)/)
  await own.broker.cluster.node().start()
  await own.scene.finish()
})

test('a start that waits for its broker can be stopped', { timeout }, async (t) => {
  const own = await ownScene(t)
  const worker = await betweenConnections(own)
  await worker.line(/WARN.*the group cannot be asked/)
  const begunMs = performance.now()
  worker.signal('SIGTERM')
  await worker.ends({ code: 0 })
  t.diagnostic(`stopped after ${Math.round(performance.now() - begunMs)} ms`)
  assert.doesNotMatch(worker.text, /the keeper thread ended/)
  await own.broker.cluster.node().start()
  await own.scene.send(100)
  await own.scene.finish()
})

for (const [api, what] of [
  ['CreateTopics', 'the topics cannot be created'],
  ['InitProducerId', 'no transaction can be begun']
] as const) {
  test(`a broker that dies over the ${api} of a start is waited for`, { timeout }, async (t) => {
    const { broker, scene } = await ownScene(t)
    await scene.send(300)
    const held = broker.proxy.next(api, 'hold-request')
    const worker = scene.worker()
    await held.happened
    await broker.cluster.node().kill()
    held.release()
    // Said long before the transport gives one request up.
    await worker.line(new RegExp(`WARN.*${what}`))
    await broker.cluster.node().start()
    await worker.started()
    assert.match(worker.text, /the broker answers again/)
    await scene.settled()
    await worker.stop()
    await scene.verify()
  })
}

test('over the topics of a start, too, it is waited for no longer than that, or a signal', {
  timeout
}, async (t) => {
  const { broker, scene } = await ownScene(t)
  await scene.send(300)
  const held = [1, 2].map(() => broker.proxy.next('CreateTopics', 'hold-request'))
  const short = scene.worker({ data: 'short', env: { TAILRACE_BROKER_TIMEOUT: '4s' } })
  const patient = scene.worker({ data: 'patient' })
  await Promise.all(held.map(({ happened }) => happened))
  await broker.cluster.node().kill()
  for (const one of held) one.release()
  await short.ends({ code: 1 })
  assert.match(short.text, /the broker has not answered for brokerTimeout \(4s\)/)
  await patient.line(/WARN.*the topics cannot be created/)
  const begunMs = performance.now()
  await patient.stop()
  t.diagnostic(`stopped after ${Math.round(performance.now() - begunMs)} ms`)
  assert.doesNotMatch(patient.text, /ERROR/)
  await broker.cluster.node().start()
  await scene.finish()
})

test('three brokers, killed and restarted one after the other', { timeout }, async (t) => {
  const { broker, scene } = await ownScene(t, { nodes: 3 })
  await scene.send(300)
  const workers = [
    await scene.worker({ data: 'first' }).started(),
    await scene.worker({ data: 'second' }).started()
  ]
  let isOver = false
  const load = underLoad(scene, () => isOver)
  for (const node of broker.cluster.nodes) {
    await scene.progress(50)
    await node.kill()
    const atMs = performance.now()
    await scene.progress(50)
    t.diagnostic(`without ${node.id}: went on after ${Math.round(performance.now() - atMs)} ms`)
    await node.start()
  }
  await scene.progress(50)
  isOver = true
  await load
  await scene.settled()
  for (const worker of workers) {
    const lines = worker.text.split('\n').filter((line) => /WARN|ERROR/.test(line))
    t.diagnostic(`${lines.length} lines of trouble`)
    await worker.stop()
  }
  await scene.verify({ data: ['first', 'second'] })
})
