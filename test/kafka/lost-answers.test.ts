// Answers that never come: what a transaction then is, is found out or said to be unknown.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { TailraceError } from '../../src/core/errors.ts'
import type { OutgoingRecord, TransactionalProducer } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { openProducer } from '../../src/transport/kafka/producer.ts'
import { openTransactional, type TransactionParts } from '../../src/transport/kafka/transaction.ts'
import { type ProxiedBroker, proxiedBroker } from './proxy.ts'
import type { Api, FaultKind } from './proxy-faults.ts'
import { Session } from './session.ts'

const timeout = 180_000
let broker: ProxiedBroker
/** Through the proxy, which harms it. */
let harmed: Session
/** Past the proxy. */
let safe: Session

before(
  async () => {
    broker = await proxiedBroker()
    harmed = await Session.open({ host: '127.0.0.1', port: broker.proxy.ports[0] ?? 0 })
    safe = await Session.open({ host: '127.0.0.1', port: broker.cluster.port('plain') })
  },
  { timeout }
)

after(async () => {
  await harmed?.[Symbol.asyncDispose]()
  await safe?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

const idOf = (): string => `t-${randomBytes(6).toString('hex')}`

function partsOf(options: Partial<TransactionParts>): TransactionParts {
  const { cluster } = harmed
  const transactionalId = idOf()
  return { cluster, clock: realClock, transactionalId, transactionTimeoutMs: 60_000, ...options }
}

function recordOf(topic: string, value: string): OutgoingRecord {
  return { topic, partition: 0, key: null, value: Buffer.from(value), timestamp: 1_700_000_000_000 }
}

async function write(
  producer: TransactionalProducer,
  { group, source, topic, round }: { group: string; source: string; topic: string; round: number }
): Promise<void> {
  await producer.begin()
  producer.append('task', recordOf(topic, `${round}`))
  const offsets = [{ topic: source, partition: 0, offset: round + 1, metadata: '' }]
  producer.commitOffsets({ group, task: 'task', memberId: 'member', epoch: 0, offsets })
  await producer.end()
}

const apisOf: Readonly<Record<number, readonly Api[]>> = {
  1: ['Produce', 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'],
  2: ['Produce', 'TxnOffsetCommit', 'EndTxn']
}

for (const versionMax of [1, 2]) {
  describe(`transaction.version ${versionMax}`, () => {
    for (const kind of ['lose-request', 'lose-answer'] as const) {
      test(`once each, though each request meets a ${kind}`, { timeout }, async () => {
        const [topic, source, group] = [await safe.topic('out'), await safe.topic('in'), idOf()]
        const producer = await openTransactional(partsOf({ versionMax }))
        const expected: string[] = []
        try {
          for (const [round, api] of (apisOf[versionMax] ?? []).entries()) {
            const fault = broker.proxy.next(api, kind)
            await write(producer, { group, source, topic, round })
            await fault.happened
            expected.push(`${round}`)
          }
        } finally {
          await producer.close()
        }
        assert.deepEqual(await valuesOf(topic, expected.length), expected)
        const [committed] = await safe.admin.committed(group, [{ topic: source, partition: 0 }])
        assert.equal(committed?.offset, expected.length)
      })
    }

    test('an end that nobody answers is of unknown outcome, and ends the producer', {
      timeout
    }, async () => {
      const [topic, source, group] = [await safe.topic('out'), await safe.topic('in'), idOf()]
      const transactionalId = idOf()
      const parts = { versionMax, transactionalId, patienceMs: 300 }
      const producer = await openTransactional(partsOf(parts))
      await write(producer, { group, source, topic, round: 0 })
      const refusing = lost('EndTxn', 'lose-answer').then(() => broker.proxy.refuse())
      const outcome = await resultOf(write(producer, { group, source, topic, round: 1 }))
      await refusing
      assert.ok(outcome instanceof TailraceError, 'the end was answered')
      assert.equal(outcome.code, 'TAILRACE_TRANSPORT_UNAVAILABLE')
      assert.equal(outcome.isDefinite, false)
      await assert.rejects(producer.begin(), { code: 'TAILRACE_TRANSPORT_UNAVAILABLE' })
      await producer.close()
      await broker.proxy.accept()
      // The next of the id finds the truth: here the broker had done it.
      const next = await openTransactional(partsOf({ versionMax, transactionalId }))
      await write(next, { group, source, topic, round: 2 })
      await next.close()
      assert.deepEqual(await valuesOf(topic, 3), ['0', '1', '2'])
    })

    test('an end that arrives after the time of its transaction commits nothing', {
      timeout
    }, async () => {
      const [topic, source, group] = [await safe.topic('out'), await safe.topic('in'), idOf()]
      const transactionalId = idOf()
      const parts = { versionMax, transactionalId, transactionTimeoutMs: 1_000 }
      const producer = await openTransactional(partsOf(parts))
      await write(producer, { group, source, topic, round: 0 })
      const held = broker.proxy.next('EndTxn', 'hold-request')
      const ending = resultOf(write(producer, { group, source, topic, round: 1 }))
      await held.happened
      // Whoever reads the offsets waits until the coordinator has ended the transaction itself.
      const [aborted] = await safe.admin.committed(group, [{ topic: source, partition: 0 }])
      assert.equal(aborted?.offset, 1)
      held.release()
      const outcome = await ending
      assert.ok(outcome instanceof TailraceError, 'the end was answered')
      await producer.close()
      const next = await openTransactional(partsOf({ versionMax, transactionalId }))
      await write(next, { group, source, topic, round: 2 })
      await next.close()
      assert.deepEqual(await valuesOf(topic, 2), ['0', '2'])
    })
  })
}

test('an answer lost at the opening is asked for again', { timeout }, async () => {
  for (const kind of ['lose-request', 'lose-answer'] as const) {
    const fault = broker.proxy.next('InitProducerId', kind)
    const producer = await openTransactional(partsOf({}))
    await fault.happened
    await producer.close()
  }
})

test('sends are once and in order while connections are cut', { timeout }, async () => {
  const topic = await safe.topic('cut')
  const { cluster } = harmed
  const producer = await openProducer({ cluster, clock: realClock })
  const sends: Promise<unknown>[] = []
  try {
    for (let i = 0; i < 3_000; i++) {
      if (i % 500 === 250)
        broker.proxy.next('Produce', i % 1_000 === 250 ? 'lose-answer' : 'lose-request')
      sends.push(producer.send(recordOf(topic, `${i}`)))
      if (i % 10 === 0) await realClock.turn()
    }
    await Promise.all(sends)
  } finally {
    await producer.close()
  }
  const found = await safe.readAll(topic, { partitions: 1 })
  assert.deepEqual(
    found.map(({ value }) => value),
    sends.map((_, i) => `${i}`)
  )
})

/** What readers see; a commit is answered before its markers stand in every partition. */
async function valuesOf(topic: string, count: number): Promise<readonly (string | null)[]> {
  for (;;) {
    const found = await safe.readAll(topic, { partitions: 1 })
    if (found.length >= count) return found.map(({ value }) => value)
    await realClock.turn()
  }
}

function lost(api: Api, kind: FaultKind): Promise<void> {
  return broker.proxy.next(api, kind).happened
}

async function resultOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error
  )
}
