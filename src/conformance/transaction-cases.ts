// Conformance of transactions: together or not at all, fenced by producer and by task.

import assert from 'node:assert/strict'
import type { TaskCommit } from '../port/transport.ts'
import { ownedTask } from './owned-task.ts'
import type { Case } from './suite.ts'
import type { TransportScene } from './transport-scene.ts'
import { fencedOf, fetchLimits, record, recordsOf, rejectsWith } from './transport-scene.ts'

export const transactionCases: readonly Case<TransportScene>[] = [
  {
    title: 'nothing is readable before end, then records and offsets all are',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const topic = await scene.topic(2)
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      for (const partition of [0, 1]) {
        producer.append(task, record({ topic, partition }, { value: `to ${partition}` }))
      }
      producer.commitOffsets(commit(7))
      await scene.pause(20)
      await scene.assertUnreadable({ topic, partition: 0 })
      if (!hasMarkers(scene)) assert.equal((await scene.range({ topic, partition: 0 })).end, 0)
      assert.equal(await scene.committed(scene.named('group'), source), undefined)
      const report = await producer.end()
      assert.deepEqual(report.fenced, [])
      assert.deepEqual(await scene.values({ topic, partition: 0 }), ['to 0'])
      assert.deepEqual(await scene.values({ topic, partition: 1 }), ['to 1'])
      assert.equal(await scene.committed(scene.named('group'), source), 7)
    }
  },
  {
    title: 'the report names the end of each partition written, and its leader epoch',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const topic = await scene.topic(2)
      await scene.send({ topic, partition: 1 }, 'before')
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      for (const partition of [1, 0, 1]) {
        producer.append(task, record({ topic, partition }, { value: 'v' }))
      }
      producer.commitOffsets(commit(1))
      const { ends } = await producer.end()
      const { epoch: leaderEpoch } = await scene.range({ topic, partition: 1 })
      assert.deepEqual(
        ends.toSorted((a, b) => a.partition - b.partition),
        [
          { topic, partition: 0, end: 1, leaderEpoch },
          { topic, partition: 1, end: 3, leaderEpoch }
        ]
      )
    }
  },
  {
    title: 'what is appended is read as it was, null, empty and large',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const headers = [{ key: 'h', value: Buffer.from([0, 255]) }]
      const parts = [null, '', 'k'].flatMap((key, i) =>
        [null, '', 'x'.repeat(1024 * 1024)].map((value, j) => {
          // Later and earlier than the one before.
          const timestamp = 1_700_000_000_000 + (j % 2) * 60_000 - i * 1_000
          return { key, value, timestamp, headers: j === 1 ? headers : [] }
        })
      )
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      for (const one of parts) producer.append(task, record(at, one))
      producer.commitOffsets(commit(1))
      await producer.end()
      const expected = parts.map((one, offset) => ({ offset, ...one }))
      assert.deepEqual(await scene.read(at), expected)
    }
  },
  {
    title: 'append copies at once and counts its bytes',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      const value = Buffer.from('first')
      producer.append(task, { ...record(at, {}), value })
      assert.ok(producer.pendingBytes >= value.length)
      value.write('later')
      producer.append(task, { ...record(at, {}), value })
      producer.commitOffsets(commit(1))
      await producer.end()
      assert.equal(producer.pendingBytes, 0)
      assert.deepEqual(await scene.values(at), ['first', 'later'])
    }
  },
  {
    title: 'an aborted transaction is never seen, and the next one is',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      producer.append(task, record(at, { value: 'aborted' }))
      producer.commitOffsets(commit(5))
      await producer.abort()
      assert.equal(producer.pendingBytes, 0)
      await producer.begin()
      await producer.end()
      assert.equal(await scene.committed(scene.named('group'), source), undefined)
      await producer.begin()
      producer.append(task, record(at, { value: 'committed' }))
      producer.commitOffsets(commit(2))
      await producer.end()
      assert.deepEqual(await scene.values(at), ['committed'])
      assert.equal(await scene.committed(scene.named('group'), source), 2)
    }
  },
  {
    title: 'a producer closed in the middle of a transaction leaves nothing of it',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      producer.append(task, record(at, { value: 'v' }))
      producer.commitOffsets(commit(1))
      await producer.close()
      await rejectsWith(producer.begin(), 'TAILRACE_TRANSPORT_CLOSED')
      assert.equal((await scene.range(at)).end, 0)
      assert.equal(await scene.committed(scene.named('group'), source), undefined)
    }
  },
  {
    title: 'a fenced producer takes nothing down that is written beside it',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const [zombie, other] = [
        await scene.transport.transactionalProducer(scene.named('p')),
        await scene.transport.transactionalProducer(scene.named('q'))
      ]
      await scene.transport.transactionalProducer(scene.named('p'))
      for (const [producer, value] of [
        [zombie, 'fenced'],
        [other, 'kept']
      ] as const) {
        await producer.begin()
        producer.append(task, record(at, { value }))
        producer.commitOffsets(commit(1))
      }
      const plain = scene.send(at, 'plain')
      const [first, second] = await Promise.allSettled([zombie.end(), other.end(), plain])
      assert.deepEqual([first?.status, second?.status], ['rejected', 'fulfilled'])
      await plain
      assert.deepEqual(new Set(await scene.values(at)), new Set(['kept', 'plain']))
      assert.equal((await scene.range(at)).end, hasMarkers(scene) ? 3 : 2)
    }
  },
  {
    title: 'begin and append are refused while an end is under way, append also before begin',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      assert.throws(() => producer.append(task, record(at, { value: 'too early' })))
      await producer.begin()
      producer.append(task, record(at, { value: 'one' }))
      producer.commitOffsets(commit(1))
      const ending = producer.end()
      assert.throws(() => producer.append(task, record(at, { value: 'too late' })))
      await assert.rejects(producer.begin())
      await ending
      assert.deepEqual(await scene.values(at), ['one'])
    }
  },
  {
    title: 'a newer producer of the same id fences the older one',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const older = await scene.transport.transactionalProducer(scene.named('p'))
      await older.begin()
      older.append(task, record(at, { value: 'of the older' }))
      older.commitOffsets(commit(9))
      const newer = await (await scene.connect()).transactionalProducer(scene.named('p'))
      await rejectsWith(older.end(), 'TAILRACE_TRANSPORT_FENCED', true)
      assert.equal(await scene.committed(scene.named('group'), source), undefined)
      await newer.begin()
      newer.append(task, record(at, { value: 'of the newer' }))
      newer.commitOffsets(commit(3))
      await newer.end()
      assert.deepEqual(await scene.values(at), ['of the newer'])
      assert.equal(await scene.committed(scene.named('group'), source), 3)
    }
  },
  {
    title: 'producers of different ids do not fence each other',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const first = await scene.transport.transactionalProducer(scene.named('p'))
      await scene.transport.transactionalProducer(scene.named('q'))
      await first.begin()
      first.append(task, record(at, { value: 'v' }))
      first.commitOffsets(commit(1))
      await first.end()
      assert.deepEqual(await scene.values(at), ['v'])
    }
  },
  {
    title: 'only the fenced task is left out of a transaction, and it is named',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const stolen = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      producer.append('former', record(at, { value: 'of the former owner' }))
      producer.append(task, record(at, { value: 'of the owner' }))
      producer.commitOffsets(commit(4))
      const offsets = [{ ...stolen, offset: 8, metadata: '' }]
      producer.commitOffsets({ ...commit(0), task: 'former', offsets })
      const report = await producer.end()
      assert.deepEqual(report.fenced, ['former'])
      assert.deepEqual(await scene.values(at), ['of the owner'])
      assert.equal(await scene.committed(scene.named('group'), source), 4)
      assert.equal(await scene.committed(scene.named('group'), stolen), undefined)
    }
  },
  {
    title: 'a commit with another member or another epoch is fenced',
    async run(scene) {
      const { source, commit } = await ownedTask(scene)
      const right = commit(1)
      for (const wrong of impostorsOf(right)) {
        assert.deepEqual(await commitOnly(scene, wrong), [right.task])
      }
      assert.equal(await scene.committed(scene.named('group'), source), undefined)
      assert.deepEqual(await commitOnly(scene, right), [])
    }
  },
  {
    title: 'offsets alone are committed, with their metadata, and an empty end is no error',
    async run(scene) {
      const { source, commit } = await ownedTask(scene)
      await commitOnly(scene, commit(11, 'stream time 5'))
      const found = await scene.transport.admin().committed(scene.named('group'), [source])
      assert.deepEqual(found, [{ ...source, offset: 11, metadata: 'stream time 5' }])
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      assert.deepEqual(await producer.end(), { fenced: [], ends: [] })
    }
  },
  {
    title: 'committed answers only partitions that have an offset, and groups are apart',
    async run(scene) {
      const { source, commit } = await ownedTask(scene)
      await commitOnly(scene, commit(6))
      const other = { topic: source.topic, partition: 99 }
      const admin = scene.transport.admin()
      const found = await admin.committed(scene.named('group'), [other, source])
      assert.deepEqual(
        found.map(({ partition, offset }) => [partition, offset]),
        [[source.partition, 6]]
      )
      assert.deepEqual(await admin.committed(scene.named('another'), [source]), [])
    }
  },
  {
    title: 'a definite failure leaves nothing behind, and the producer goes on',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      const fail = async (): Promise<void> => {
        await producer.begin()
        producer.append(task, record(at, { value: 'half' }))
        producer.commitOffsets(commit(5))
        producer.append(task, record({ topic: 'nowhere', partition: 0 }, { value: 'v' }))
        await producer.end()
      }
      await rejectsWith(fail(), 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC', true)
      await producer.abort()
      await scene.assertUnreadable(at)
      if (!hasMarkers(scene)) assert.equal((await scene.range(at)).end, 0)
      assert.equal(await scene.committed(scene.named('group'), source), undefined)
      await producer.begin()
      producer.append(task, record(at, { value: 'whole' }))
      producer.commitOffsets(commit(6))
      await producer.end()
      assert.deepEqual(await scene.values(at), ['whole'])
    }
  },
  {
    title: 'a log that stamps records does so in transactions too',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(1, { timestampType: 'append' }), partition: 0 }
      const before = scene.clock.now()
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      await producer.begin()
      producer.append(task, record(at, { value: 'v', timestamp: 1 }))
      producer.commitOffsets(commit(1))
      await producer.end()
      const [found] = await scene.read(at)
      assert.ok((found?.timestamp ?? 0) >= before)
    }
  },
  {
    title: 'a large transaction is read whole, in order, with headers',
    async run(scene) {
      const { task, commit } = await ownedTask(scene)
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      const headers = [{ key: 'h', value: Buffer.from('1') }]
      await producer.begin()
      const filler = 'x'.repeat(1_000)
      for (let i = 0; i < 3_000; i++) {
        producer.append(task, record(at, { key: `${i}`, value: filler, headers }))
      }
      producer.commitOffsets(commit(1))
      await producer.end()
      const records = await scene.read(at)
      assert.equal(records.length, 3_000)
      assert.ok(records.every(({ key, offset }) => key === `${offset}`))
      assert.deepEqual(records.at(-1)?.headers, headers)
    }
  },
  {
    title: 'whoever reads the end of one partition finds the rest of the transaction',
    async run(scene) {
      const { source, task, commit } = await ownedTask(scene)
      const topic = await scene.topic(2)
      const [at, other] = [0, 1].map((partition) => ({ topic, partition }))
      assert.ok(at !== undefined && other !== undefined)
      const reader = await scene.connect()
      const fetcher = await reader.fetcher()
      fetcher.add([{ ...at, offset: 0 }])
      const producer = await scene.transport.transactionalProducer(scene.named('p'))
      const write = async (): Promise<void> => {
        for (let round = 0; round < 20; round++) {
          await producer.begin()
          producer.append(task, record(at, { value: `${round}` }))
          producer.append(task, record(other, { value: `${round}` }))
          producer.commitOffsets(commit(round + 1))
          await producer.end()
        }
      }
      const writing = write()
      for (let position = 0, seen = 0; seen < 20; ) {
        for (const chunk of await fetcher.fetch(fetchLimits)) {
          seen += recordsOf(chunk, position).length
          position = chunk.nextOffset
          const [range] = await reader.admin().ranges([other])
          // Markers are written to one partition after the other, records all before them.
          const least = hasMarkers(scene) ? 2 * seen - 1 : seen
          assert.ok((range?.end ?? 0) >= least, `${seen} seen without their other half`)
          const [offset] = await reader.admin().committed(scene.named('group'), [source])
          assert.ok((offset?.offset ?? 0) >= seen, `${seen} seen without their offset`)
        }
      }
      await writing
    }
  }
]

async function commitOnly(scene: TransportScene, commit: TaskCommit): Promise<readonly string[]> {
  const producer = await scene.transport.transactionalProducer(scene.named('commit-only'))
  await producer.begin()
  producer.commitOffsets(commit)
  const fenced = await fencedOf(producer.end(), [commit.task])
  await producer.close()
  return fenced
}

/** The same commit by another member, and by another generation of the group. */
function impostorsOf(right: TaskCommit): readonly TaskCommit[] {
  const { member } = right
  if (member === undefined) {
    return [
      { ...right, memberId: 'other' },
      { ...right, epoch: right.epoch + 1 }
    ]
  }
  return [
    { ...right, member: { ...member, memberId: 'other' } },
    { ...right, member: { ...member, generation: member.generation + 1 } }
  ]
}

function hasMarkers({ features }: TransportScene): boolean {
  return features.hasMarkers === true
}
