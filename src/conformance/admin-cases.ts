// Conformance of topics: descriptions, ranges, deletion, retention and compaction.

import assert from 'node:assert/strict'
import type { TopicPartition } from '../port/transport.ts'
import { ownedTask, sendTogether } from './owned-task.ts'
import type { Case } from './suite.ts'
import type { ReadRecord, TransportScene } from './transport-scene.ts'
import { nextChunk, record, rejectsWith } from './transport-scene.ts'

export const adminCases: readonly Case<TransportScene>[] = [
  {
    title: 'describes the topics that exist, of those named or of all',
    async run(scene) {
      const [a, b] = [await scene.topic(3), await scene.topic(1)]
      const admin = scene.transport.admin()
      const named = await admin.describe([b, 'nowhere'])
      assert.deepEqual(
        named.map(({ name, partitions }) => [name, partitions]),
        [[b, 1]]
      )
      const names = (await admin.describe()).map(({ name }) => name)
      assert.ok(names.includes(a) && names.includes(b))
    }
  },
  {
    title: 'keeps the settings of a topic, unknown ones too',
    async run(scene) {
      const settings = {
        cleanupPolicy: 'compact,delete',
        retentionMs: 12_345_678,
        timestampType: 'append',
        extra: { 'max.message.bytes': '2000000' }
      } as const
      const name = await scene.topic(2, settings)
      const [found] = await scene.transport.admin().describe([name])
      assert.deepEqual(
        { ...found?.settings, extra: found?.settings.extra['max.message.bytes'] },
        { ...settings, extra: '2000000' }
      )
    }
  },
  {
    title: 'creating a topic that exists leaves it as it is',
    async run(scene) {
      const topic = await scene.topic(2)
      await scene.send({ topic, partition: 0 }, 'kept')
      const admin = scene.transport.admin()
      const [before] = await admin.describe([topic])
      assert.ok(before !== undefined)
      const [answer] = await admin.create([{ ...before, partitions: 7 }])
      assert.deepEqual([answer?.partitions, answer?.id], [2, before.id])
      assert.deepEqual(await scene.values({ topic, partition: 0 }), ['kept'])
    }
  },
  {
    title: 'a topic deleted and made again is empty and has another id',
    async run(scene) {
      const topic = await scene.topic()
      await scene.send({ topic, partition: 0 }, 'gone')
      const admin = scene.transport.admin()
      const [before] = await admin.describe([topic])
      assert.ok(before !== undefined)
      await admin.delete([topic, 'nowhere'])
      assert.deepEqual(await admin.describe([topic]), [])
      const [after] = await admin.create([before])
      assert.notEqual(after?.id, before.id)
      const { start, end } = await scene.range({ topic, partition: 0 })
      assert.equal(end - start, 0)
    }
  },
  {
    title: 'a topic deleted takes the offsets committed for it along',
    async run(scene) {
      const owned = await ownedTask(scene)
      await sendTogether(scene, owned, [])
      assert.equal(await scene.committed(scene.named('group'), owned.source), 0)
      const admin = scene.transport.admin()
      const found = await admin.describe([owned.source.topic])
      await admin.delete([owned.source.topic])
      await admin.create(found)
      assert.equal(await scene.committed(scene.named('group'), owned.source), undefined)
    }
  },
  {
    title: 'ranges name the first readable offset and the next one',
    async run(scene) {
      const topic = await scene.topic(2)
      await scene.send({ topic, partition: 1 }, 'a', 'b', 'c')
      const ends = await Promise.all([0, 1].map((partition) => scene.range({ topic, partition })))
      assert.deepEqual(
        ends.map(({ start, end }) => [start, end]),
        [
          [0, 0],
          [0, 3]
        ]
      )
    }
  },
  {
    title: 'a topic or partition that does not exist is named as unknown',
    async run(scene) {
      const topic = await scene.topic(1)
      const admin = scene.transport.admin()
      const code = 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'
      await rejectsWith(admin.ranges([{ topic: 'nowhere', partition: 0 }]), code)
      await rejectsWith(admin.ranges([{ topic, partition: 1 }]), code)
    }
  },
  {
    title: 'finds the first offset at or after a timestamp, or the end',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const stamps = [1_000, 5_000, 3_000, 9_000]
      await scene.sendAll(stamps.map((timestamp) => record(at, { value: 'v', timestamp })))
      const admin = scene.transport.admin()
      const found = [0, 1_000, 1_001, 5_001, 9_001].map((time) => admin.offsetAt(at, time))
      assert.deepEqual(await Promise.all(found), [0, 0, 1, 3, 4])
    }
  },
  {
    title: 'records below a deleted offset are unreadable, and readers are told',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'a', 'b', 'c', 'd')
      await scene.transport.admin().deleteRecords(at, 2)
      const { start, end } = await scene.range(at)
      assert.deepEqual([start, end], [2, 4])
      assert.deepEqual(await scene.values(at), ['c', 'd'])
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...at, offset: 1 }])
      const chunk = await nextChunk(fetcher, at)
      assert.deepEqual(chunk.outOfRange, { position: 1, start: 2, end: 4 })
    }
  },
  {
    title: 'records deleted from the middle of a batch are neither read nor found by time',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const stamps = [9_000, 8_000, 1_000, 2_000]
      const owned = await ownedTask(scene)
      const records = stamps.map((timestamp) => record(at, { value: `${timestamp}`, timestamp }))
      await sendTogether(scene, owned, records)
      await scene.transport.admin().deleteRecords(at, 2)
      assert.deepEqual(await scene.values(at), ['1000', '2000'])
      assert.equal(await scene.transport.admin().offsetAt(at, 1_500), 3)
      const { end } = await scene.range(at)
      assert.equal(await scene.transport.admin().offsetAt(at, 2_001), end)
    }
  },
  {
    title: 'deleting all records leaves the end where it was',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'a', 'b')
      await scene.transport.admin().deleteRecords(at, 2)
      const [sent] = await scene.send(at, 'c')
      assert.equal(sent?.offset, 2)
      assert.deepEqual(await scene.values(at), ['c'])
    }
  },
  {
    title: 'deleting beyond the end is refused, and deletes nothing',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'a', 'b')
      const deleting = scene.transport.admin().deleteRecords(at, 3)
      await rejectsWith(deleting, 'TAILRACE_TRANSPORT_OUT_OF_RANGE', true)
      assert.deepEqual(await scene.values(at), ['a', 'b'])
    }
  },
  {
    title: 'retention deletes what is older, from the front, and nothing that is younger',
    async run(scene) {
      const topic = await scene.topic(1, { retentionMs: 3_600_000 })
      const at = { topic, partition: 0 }
      const now = scene.clock.now()
      const old = { value: 'old', timestamp: now - 7_200_000 }
      await scene.sendAll([record(at, old), record(at, old)])
      const isGone = async (): Promise<boolean> => (await scene.range(at)).start === 2
      await scene.maintain(isGone)
      await scene.sendAll([record(at, { value: 'young', timestamp: now })])
      await scene.maintain(isGone)
      const records = await scene.read(at)
      assert.deepEqual(
        records.map(({ offset, value }) => [offset, value]),
        [[2, 'young']]
      )
    }
  },
  {
    title: 'a topic without retention keeps records of any age',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.sendAll([record(at, { value: 'ancient', timestamp: 1_000 })])
      await scene.transport.admin().maintain()
      assert.deepEqual(await scene.values(at), ['ancient'])
    }
  },
  {
    title: 'compaction keeps the last value of each key at its offset',
    async run(scene) {
      const at = { topic: await compactedTopic(scene), partition: 0 }
      const owned = await ownedTask(scene)
      for (let round = 0; round < 5; round++) {
        const parts = ['a', 'b', 'c'].map((key) => ({ key, value: `${key}${round}` }))
        // Once in between each record stands alone.
        if (round === 2) await scene.sendAll(parts.map((one) => record(at, one)))
        else
          await sendTogether(
            scene,
            owned,
            parts.map((one) => record(at, one))
          )
      }
      await scene.sendAll([record(at, { key: 'b', value: 'b5' })])
      const before = await scene.read(at)
      await sealAndCompact(scene, at)
      const records = (await scene.read(at)).filter(({ key }) => key !== 'seal')
      assert.ok(records.length < before.length, `nothing was compacted: ${records.length} records`)
      const last = ['a4', 'c4', 'b5'].map((value) => before.findLast((one) => one.value === value))
      assert.deepEqual(records.slice(-3), last)
      assert.equal((await scene.range(at)).start, 0)
    }
  },
  {
    title: 'what compaction keeps, it keeps whole; an empty key is a key like others',
    async run(scene) {
      const at = { topic: await compactedTopic(scene), partition: 0 }
      const headers = [{ key: 'h', value: Buffer.from('1') }]
      const kept = ['', 'k'].map((key, i) => {
        return { key, value: `last of ${key}`, timestamp: 1_699_999_000_000 + i, headers }
      })
      for (const one of kept) await scene.sendAll([record(at, { ...one, value: 'older' })])
      for (const one of kept) await scene.sendAll([record(at, one)])
      await sealAndCompact(scene, at)
      const found = (await scene.read(at)).filter(({ key }) => key !== 'seal')
      assert.deepEqual(
        found,
        kept.map((one, i) => ({ offset: 2 + i, ...one }))
      )
    }
  },
  {
    title: 'a reader goes over the gaps that compaction leaves',
    async run(scene) {
      const at = { topic: await compactedTopic(scene), partition: 0 }
      const sends = Array.from({ length: 20 }, (_, i) => record(at, { key: 'k', value: `${i}` }))
      await scene.sendAll(sends)
      await sealAndCompact(scene, at)
      for (const from of [0, 7, 19]) {
        const values = (await scene.read(at, from)).map(({ value }) => value)
        assert.ok(values.includes('19'), `reading from ${from} missed the last value`)
      }
    }
  },
  {
    title: 'a tombstone stays until its time is over, then goes with all before it',
    async run(scene) {
      const topic = await compactedTopic(scene, { 'delete.retention.ms': '0' })
      const kept = { topic: await compactedTopic(scene), partition: 0 }
      const at = { topic, partition: 0 }
      const rest = async (partition: typeof at): Promise<(string | null)[]> =>
        (await scene.read(partition)).filter(({ key }) => key === 'k').map(({ value }) => value)
      for (const partition of [at, kept]) {
        await scene.sendAll([record(partition, { key: 'k', value: 'v' })])
        await scene.sendAll([record(partition, { key: 'k', value: null })])
        await sealAndCompact(scene, partition)
        await scene.pause(20)
        const left = partition === at ? 0 : 1
        await sealAndCompact(scene, partition, async () => (await rest(partition)).length === left)
      }
      assert.deepEqual(await rest(kept), [null])
      assert.deepEqual(await rest(at), [])
    }
  }
]

function compactedTopic(
  scene: TransportScene,
  extra: Readonly<Record<string, string>> = {}
): Promise<string> {
  const eager = scene.features.eagerCompaction ?? {}
  return scene.topic(1, { cleanupPolicy: 'compact', extra: { ...eager, ...extra } })
}

/** What is written to last may be left alone by compaction, so something else is written last. */
async function sealAndCompact(
  scene: TransportScene,
  at: TopicPartition,
  isDone: () => Promise<boolean> = async () => hasOneOfEach(await scene.read(at))
): Promise<void> {
  // A segment that is to be compacted must be old enough to be left behind.
  if (scene.features.maintainsItself === true) await scene.pause(200)
  await scene.sendAll([record(at, { key: 'seal', value: 'seal', timestamp: scene.clock.now() })])
  await scene.maintain(isDone)
}

function hasOneOfEach(records: readonly ReadRecord[]): boolean {
  const keys = records.map(({ key }) => key).filter((key) => key !== 'seal')
  return new Set(keys).size === keys.length
}
