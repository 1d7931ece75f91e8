// The group of an app is used by another kind of client: the worker says so and ends, whoever came
// first, and the other one's members and offsets are left alone.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { consumerGroupHeartbeatV0, joinGroupV9, syncGroupV5 } from '@platformatic/kafka'
import { hasCode } from 'tailrace'
import { groupCodes } from '../../src/transport/kafka/group-errors.ts'
import type { Link } from '../../src/transport/kafka/link.ts'
import { failure } from '../../src/transport/kafka/protocol-failure.ts'
import { testBroker, type TestBroker } from './broker.ts'
import { countingApp, KafkaLog } from './kafka-log.ts'
import { ownName } from './member.ts'
import { Session } from './session.ts'

const timeout = 120_000
let broker: TestBroker
let session: Session
before(
  async () => {
    broker = await testBroker()
    session = await Session.open(broker)
  },
  { timeout }
)
after(async () => {
  await session[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

const sessionMs = 60_000
const unsupportedVersion = 35
/** Subscribes to one topic: version, topics, user data. */
function subscription(topic: string): Buffer {
  const name = Buffer.from(topic)
  const bytes = Buffer.alloc(2 + 4 + 2 + name.length + 4)
  bytes.writeInt32BE(1, 2)
  bytes.writeInt16BE(name.length, 6)
  name.copy(bytes, 8)
  bytes.writeInt32BE(-1, 8 + name.length)
  return bytes
}

/** Asks the group's coordinator, which the first group of a broker makes wait for its topic. */
function askCoordinator(group: string, ask: (link: Link) => Promise<number>): Promise<number> {
  return session.cluster.retry('asking the coordinator', async () => {
    const code = await ask(await session.cluster.coordinator('group', group, 'group'))
    const refused = failure(code, `group ${group}`)
    if (refused.isCoordinatorMoved) session.cluster.forgetCoordinator('group', group)
    if (refused.isRetriable) throw refused
    return code
  })
}

/** A plain consumer of the classic protocol, as the clients of all languages are. */
function joinAsConsumer(group: string, topic: string): Promise<number> {
  const protocols = [{ name: 'range', metadata: subscription(topic) }]
  let memberId = ''
  return askCoordinator(group, async (link) => {
    const join = () =>
      link.call(joinGroupV9.api, group, sessionMs, sessionMs, memberId, null, 'consumer', protocols)
    let joined = await join()
    // The first answer names the newcomer, and lets it in only under that name (KIP-394).
    if (joined.errorCode === groupCodes.memberIdRequired) {
      memberId = joined.memberId
      joined = await join()
    }
    if (joined.errorCode !== 0) return joined.errorCode
    const assignments = [{ memberId: joined.memberId, assignment: Buffer.alloc(0) }]
    const synced = await link.call(
      syncGroupV5.api,
      group,
      joined.generationId,
      joined.memberId,
      null,
      'consumer',
      'range',
      assignments
    )
    return synced.errorCode
  })
}

/** One of the protocol that brokers run themselves (KIP-848). */
function beatAsConsumer(group: string, topic: string): Promise<number> {
  const memberId = ownName('member')
  return askCoordinator(group, async (link) => {
    const answer = await link.call(
      consumerGroupHeartbeatV0.api,
      group,
      memberId,
      0,
      null,
      null,
      sessionMs,
      [topic],
      null,
      null,
      []
    )
    return answer.errorCode
  })
}

const kinds = { 'of the classic protocol': joinAsConsumer, 'of KIP-848': beatAsConsumer } as const

for (const [kind, join] of Object.entries(kinds)) {
  test(`a worker does not share a group with a consumer ${kind}`, { timeout }, async (t) => {
    const log = await KafkaLog.open(t, broker.url)
    await log.create(log.name('in'))
    await log.put(log.name('in'), [{ key: 'a', value: '1' }])
    const code = await join(log.id, log.name('in'))
    if (code === unsupportedVersion) {
      // Kafka 3.9 has no such groups unless it is told to: then there is nobody to share with.
      await log.settled(await log.start(countingApp(log)), log.name('in'))
      return
    }
    assert.equal(code, 0)
    const error = await log.endOf(countingApp(log))
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_FOREIGN_GROUP'), String(error))
    assert.match(error.message, new RegExp(`consumer group "${log.id}" has members that are no`))
    assert.match(error.hint, /another `id` for the app, or stop the other client/)
    // Nothing of the event was done, and nothing was committed for the other one.
    const partition = { topic: log.name('in'), partition: 0 }
    assert.deepEqual(await log.transport.admin().committed(log.id, [partition]), [])
    assert.deepEqual(await log.read(log.name('out')), [])
  })

  test(`a consumer ${kind} does not get into the group of a worker`, { timeout }, async (t) => {
    const log = await KafkaLog.open(t, broker.url)
    await log.create(log.name('in'))
    const worker = await log.start(countingApp(log))
    const code = await join(log.id, log.name('in'))
    assert.notEqual(code, 0)
    await log.put(log.name('in'), [{ key: 'a', value: '1' }])
    await log.settled(worker, log.name('in'))
    assert.equal(worker.status().counters.finished, 1)
  })
}
