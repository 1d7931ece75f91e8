// A whole worker behind a login over TLS: its keeper thread logs in too, both do so again as often
// as the broker asks, and each right that its user lacks is named.
import assert from 'node:assert/strict'
import { after, before, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AppOptions, hasCode } from 'tailrace'
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { Cluster } from '../../src/transport/kafka/cluster.ts'
import { fenceProducers, findStrangers } from '../../src/transport/kafka/group-fence.ts'
import { readCredentials, securityOf } from '../../src/transport/kafka/security.ts'
import { openTransactional } from '../../src/transport/kafka/transaction.ts'
import { until } from '../runtime/app-log.ts'
import { ownBroker } from './broker.ts'
import { countingApp, KafkaLog } from './kafka-log.ts'
import { grant, revoke, type Right } from './rights.ts'
import { Session } from './session.ts'

const timeout = 180_000
const alice = { username: 'alice', password: 'alice-secret' }
/** A login is good for so long; it is renewed at four fifths of it. */
const loginMs = 6_000

let broker: KafkaCluster
let administrator: Session
before(
  async () => {
    const config = { 'connections.max.reauth.ms': `${loginMs}` }
    broker = await ownBroker({ doors: ['saslTls'], hasAcls: true, config })
    administrator = await Session.open({ host: '127.0.0.1', port: broker.port() })
  },
  { timeout }
)
after(async () => {
  await administrator[Symbol.asyncDispose]()
  await broker.stop()
})

const tls = (): { ca: string } => ({ ca: broker.certificates?.ca ?? assert.fail() })

/** A log whose apps come in as alice; the test itself by the plain door. */
function asAlice(t: TestContext, options: Partial<AppOptions> = {}): Promise<KafkaLog> {
  const way = { broker: broker.url('saslTls'), sasl: alice, tls: tls() }
  return KafkaLog.open(t, broker.url(), { ...way, ...options })
}

/** All that the app needs, and no more. */
function rightsOf({ id }: KafkaLog): Right[] {
  const topic = (name: string, ...names: Right['operation'][]): Right[] =>
    names.map((operation) => ({ kind: 'topic', prefix: `${id}-${name}`, operation }))
  return [
    ...topic('in', 'DESCRIBE', 'READ', 'DESCRIBE_CONFIGS'),
    ...topic('out', 'DESCRIBE', 'WRITE', 'DESCRIBE_CONFIGS'),
    ...topic('counts-changelog', 'DESCRIBE', 'READ', 'WRITE', 'CREATE', 'DESCRIBE_CONFIGS'),
    { kind: 'group', prefix: id, operation: 'READ' },
    { kind: 'transactionalId', prefix: id, operation: 'WRITE' }
  ]
}

async function give(rights: readonly Right[]): Promise<void> {
  const url = broker.url('saslTls')
  await grant({ cluster: administrator.cluster, url, login: alice, tls: tls() }, rights)
}

/** As alice, on connections of their own. */
async function clusterOf(t: TestContext): Promise<Cluster> {
  const cluster = new Cluster({
    brokers: [{ host: '127.0.0.1', port: broker.port('saslTls') }],
    security: securityOf(readCredentials({ sasl: alice, tls: tls() }, [])),
    clientId: 'test',
    clock: realClock
  })
  t.after(() => cluster.close())
  await cluster.connect()
  return cluster
}

test('a worker with the rights it needs, and no more, outlives its logins', {
  timeout
}, async (t) => {
  const log = await asAlice(t)
  await give(rightsOf(log))
  await log.create(log.name('in'))
  await log.create(log.name('out'))
  const worker = await log.start(countingApp(log))
  const cluster = await clusterOf(t)
  const link = await cluster.any()
  const end = performance.now() + 2.5 * loginMs
  for (let count = 1; performance.now() < end; count++) {
    await log.put(log.name('in'), [{ key: 'a', value: '1' }])
    await cluster.describe([log.name('in')])
    assert.ok(link.isOpen, 'the broker hung up on a login that was not renewed')
    await log.settled(worker, log.name('in'))
    const outputs = await log.read(log.name('out'))
    assert.equal(outputs.length, count)
    await sleep(500)
  }
  const { counters, isReady } = worker.status()
  assert.deepEqual(
    [isReady, counters.restarts, counters.rebalances, counters.lostRecords],
    [true, 0, 1, 0]
  )
})

test('those rights are enough to find what a group that is gone has left open', {
  timeout
}, async (t) => {
  const log = await asAlice(t)
  await give(rightsOf(log))
  await log.create(log.name('out'))
  const [own, gone] = [`${log.id}-1`, `${log.id}-2`]
  const { cluster } = administrator
  const producer = await openTransactional({
    cluster,
    clock: realClock,
    transactionalId: gone,
    transactionTimeoutMs: 60_000
  })
  t.after(() => producer.close())
  await producer.begin()
  const out = { topic: log.name('out'), partition: 0 }
  producer.append('task', { ...out, key: null, value: Buffer.from('1'), timestamp: 1 })
  const written = async (): Promise<boolean> =>
    (await administrator.admin.ranges([out]))[0]?.end === 1
  await until(written, 'the record is there')
  const request = { ...joinRequest, group: log.id, transactionalId: own }
  const { signal } = new AbortController()
  const alices = await clusterOf(t)
  const found = await findStrangers({ cluster: alices, request, known: [own], signal })
  assert.deepEqual(found, [gone])
  await fenceProducers(found, alices, signal)
  producer.append('task', { ...out, key: null, value: Buffer.from('2'), timestamp: 1 })
  await assert.rejects(producer.end(), { code: 'TAILRACE_TRANSPORT_FENCED' })
})

const joinRequest = {
  memberId: 'worker',
  topologyHash: 'h',
  tasks: [],
  sessionTimeoutMs: 10_000,
  heartbeatMs: 1_000,
  url: undefined
}

interface Lack {
  readonly without: (right: Right, log: KafkaLog) => boolean
  readonly says: RegExp
  readonly hint: RegExp
  readonly options?: Partial<AppOptions>
}

const isOf =
  (kind: Right['kind'], title: string, operation?: Right['operation']) =>
  (right: Right, { id }: KafkaLog): boolean =>
    right.kind === kind &&
    right.prefix === `${id}${title}` &&
    (operation === undefined || right.operation === operation)

const lacks: Readonly<Record<string, Lack>> = {
  'to read a source': {
    without: isOf('topic', '-in', 'READ'),
    says: /-in/,
    hint: /the right READ on the topic/
  },
  'to see a source': {
    without: isOf('topic', '-in'),
    says: /topic app-\w+-in: Topic authorization failed/,
    hint: /the right DESCRIBE on the topic/
  },
  'to see its settings': {
    without: isOf('topic', '-in', 'DESCRIBE_CONFIGS'),
    says: /topic app-\w+-in: /,
    hint: /the right DESCRIBE_CONFIGS on the topic/
  },
  'to write an output': {
    without: isOf('topic', '-out', 'WRITE'),
    says: /-out/,
    hint: /the right WRITE on the topic/
  },
  'to write a changelog': {
    without: isOf('topic', '-counts-changelog', 'WRITE'),
    says: /-counts-changelog/,
    hint: /the right WRITE on the topic/
  },
  'to create a changelog': {
    without: isOf('topic', '-counts-changelog', 'CREATE'),
    says: /topic app-\w+-counts-changelog: /,
    hint: /the right CREATE on the topic/
  },
  'to join its group': {
    without: isOf('group', ''),
    says: /cannot join its group: .* group app-\w+: Group authorization failed/,
    hint: /the right READ on the group/
  },
  'to have transactions': {
    without: isOf('transactionalId', ''),
    says: /transactional producer "app-\w+-[^"]+" cannot be opened: /,
    hint: /the right WRITE on the transactional ids that begin with the id of the app/
  },
  'to write anything, at least once': {
    without: ({ kind, operation }) => kind === 'topic' && operation === 'WRITE',
    says: /-(out|counts-changelog)/,
    hint: /the right WRITE on the topic/,
    options: { guarantee: 'at-least-once' }
  }
}

for (const [what, { hint, options, says, without }] of Object.entries(lacks)) {
  test(`a user without the right ${what} is told so`, { timeout }, async (t) => {
    const log = await asAlice(t, options)
    await log.create(log.name('in'))
    await log.create(log.name('out'))
    await give(rightsOf(log).filter((right) => !without(right, log)))
    await log.put(log.name('in'), [{ key: 'a', value: '1' }])
    const error = await log.endOf(countingApp(log))
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN'), String(error))
    assert.match(error.message, says)
    assert.match(`${error.message} ${error.hint}`, hint)
    // With it the same app runs, and nothing of the event was done before.
    await give(rightsOf(log))
    const worker = await log.start(countingApp(log))
    await log.settled(worker, log.name('in'))
    await until(async () => (await log.read(log.name('out'))).length > 0, 'its output is there')
    assert.equal((await log.read(log.name('out'))).length, 1)
  })
}

test('a right that is taken away under a worker ends it, by name', { timeout }, async (t) => {
  const log = await asAlice(t)
  await log.create(log.name('in'))
  await log.create(log.name('out'))
  const rights = rightsOf(log)
  await give(rights)
  const worker = await log.start(countingApp(log))
  await log.put(log.name('in'), [{ key: 'a', value: '1' }])
  await log.settled(worker, log.name('in'))
  const writes = rights.filter((right) => isOf('topic', '-out', 'WRITE')(right, log))
  await revoke(administrator.cluster, alice.username, writes)
  await log.put(log.name('in'), [{ key: 'a', value: '1' }])
  const error = await worker.ended
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN'), String(error))
  assert.match(error.message, /app-\w+-out/)
  assert.match(error.hint, /the right WRITE on the topic/)
  // Nothing of the second event is there, and nothing of it is lost.
  assert.equal((await log.read(log.name('out'))).length, 1)
  await give(rights)
  const again = await log.start(countingApp(log))
  await log.settled(again, log.name('in'))
  await until(async () => (await log.read(log.name('out'))).length === 2, 'the second is there')
})
