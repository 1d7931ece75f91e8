// Segments in their life: rolled, retained, compacted under readers, swept, torn by a power cut.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { ReadRecord } from '../../conformance/transport-scene.ts'
import { record, recordsOf, TransportScene } from '../../conformance/transport-scene.ts'
import { hasCode } from '../../core/errors.ts'
import type { TopicPartition, TopicSettings, Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { createEmbeddedTransport } from './index.ts'

class Scene extends TransportScene {
  readonly directory: string

  constructor(transport: Transport, directory: string, more: Transport[]) {
    const connect = async (): Promise<Transport> => {
      const another = createEmbeddedTransport({ directory, clock: realClock })
      more.push(another)
      await another.open()
      return another
    }
    const dispose = async (): Promise<void> => {
      for (const one of [transport, ...more]) await one.close()
    }
    super({ clock: realClock, connect, dispose }, transport, { sessionTimeoutMs: 1_000 })
    this.directory = directory
  }

  segmentFiles(): string[] {
    return readdirSync(join(this.directory, 'segments')).sort()
  }

  /** A topic of one partition whose segments hold about ten records of 100 bytes. */
  async small(settings: Partial<TopicSettings> = {}): Promise<TopicPartition> {
    const extra = { 'segment.bytes': '2000', ...settings.extra }
    return { topic: await this.topic(1, { ...settings, extra }), partition: 0 }
  }

  /** One batch for each value, as separate sends would make. */
  async fill(at: TopicPartition, count: number, key: (i: number) => string): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.sendAll([record(at, { key: key(i), value: `${i}`.padEnd(100) })])
    }
  }
}

async function inScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
  const scene = await openScene(directory)
  try {
    await run(scene)
  } finally {
    await scene.dispose()
    await rm(directory, { recursive: true })
  }
}

async function openScene(directory: string): Promise<Scene> {
  const transport = createEmbeddedTransport({ directory, clock: realClock })
  await transport.open()
  return new Scene(transport, directory, [])
}

/** Closes, lets `change` do what a power cut or a crash may leave, and opens again. */
async function reopened(
  scene: Scene,
  change: (db: DatabaseSync) => void,
  check: (scene: Scene) => Promise<void>
): Promise<void> {
  await scene.dispose()
  const db = new DatabaseSync(join(scene.directory, 'log.db'))
  change(db)
  db.close()
  const again = await openScene(scene.directory)
  try {
    await check(again)
  } finally {
    await again.dispose()
  }
}

const otherBoot = `UPDATE meta SET value = 'another' WHERE key = 'boot'`
const numbers = (records: readonly ReadRecord[]): number[] =>
  records.map(({ value }) => Number(value))
const upTo = (count: number, from = 0): number[] =>
  Array.from({ length: count - from }, (_, i) => i + from)

test('a partition of many segments is read from any offset', () =>
  inScene(async (scene) => {
    const at = await scene.small()
    await scene.fill(at, 100, (i) => `${i}`)
    assert.ok(scene.segmentFiles().length >= 8, 'segments were not rolled')
    for (const from of [0, 1, 50, 99]) {
      assert.deepEqual(numbers(await scene.read(at, from)), upTo(100, from))
    }
  }))

test('an offset far inside a large segment is found by the sparse index', () =>
  inScene(async (scene) => {
    const at = { topic: await scene.topic(), partition: 0 }
    const value = 'x'.repeat(1_000)
    const count = 3_000
    await scene.sendAll(upTo(count).map((i) => record(at, { key: `${i}`, value })))
    const fetcher = await scene.transport.fetcher()
    for (const offset of [0, 1, 777, 1_500, count - 1]) {
      fetcher.add([{ ...at, offset }])
      const [chunk] = await fetcher.fetch({ bytesMax: 1, waitMaxMs: 1_000 })
      assert.ok(chunk !== undefined)
      assert.equal(recordsOf(chunk, offset)[0]?.key, `${offset}`)
      assert.ok(chunk.bytes.length < 20_000, 'more than one batch was given')
    }
  }))

test('deleted segments give their space back, and their descriptors too', () =>
  inScene(async (scene) => {
    const at = await scene.small()
    await scene.fill(at, 60, (i) => `${i}`)
    const before = scene.segmentFiles().length
    await scene.transport.admin().deleteRecords(at, 35)
    assert.ok(scene.segmentFiles().length < before)
    assert.deepEqual(numbers(await scene.read(at)), upTo(60, 35))
    const isHeld = (): boolean =>
      readdirSync('/proc/self/fd').some((fd) => isDeletedSegment(join('/proc/self/fd', fd)))
    if (existsSync('/proc/self/fd')) assert.equal(isHeld(), false)
  }))

function isDeletedSegment(path: string): boolean {
  try {
    return statSync(path).nlink === 0
  } catch {
    return false
  }
}

test('retention by size keeps about that much', () =>
  inScene(async (scene) => {
    const at = await scene.small({ extra: { 'retention.bytes': '4000' } })
    await scene.fill(at, 100, (i) => `${i}`)
    await scene.transport.admin().maintain()
    const bytes = scene
      .segmentFiles()
      .map((name) => statSync(join(scene.directory, 'segments', name)).size)
      .reduce((sum, size) => sum + size, 0)
    assert.ok(bytes >= 4_000 && bytes <= 8_000, `${bytes} bytes are left`)
    const { start } = await scene.range(at)
    assert.deepEqual(numbers(await scene.read(at)), upTo(100, start))
  }))

test('compaction under readers in the middle loses no key to any of them', () =>
  inScene(async (scene) => {
    const at = await scene.small({ cleanupPolicy: 'compact' })
    const other = await scene.connect()
    await scene.fill(at, 200, (i) => `k${i % 7}`)
    const readers = await Promise.all([0, 30, 90, 150].map((offset) => readerAt(other, at, offset)))
    for (const reader of readers) await reader.step()
    await scene.transport.admin().maintain()
    await scene.fill(at, 50, (i) => `k${i % 7}`)
    for (const reader of readers) await reader.step()
    await scene.transport.admin().maintain()
    for (const reader of readers) {
      await reader.toEnd()
      const last = new Map(reader.seen.map(({ key, offset }) => [key, offset]))
      const expected = new Map(upTo(50).map((i) => [`k${i % 7}`, 200 + i]))
      for (const [key, offset] of expected) assert.equal(last.get(key), offset, key)
    }
  }))

/** A reader of one small step at a time. */
async function readerAt(
  transport: Transport,
  at: TopicPartition,
  from: number
): Promise<{ seen: ReadRecord[]; step(): Promise<boolean>; toEnd(): Promise<void> }> {
  const fetcher = await transport.fetcher()
  fetcher.add([{ ...at, offset: from }])
  let position = from
  const seen: ReadRecord[] = []
  const step = async (): Promise<boolean> => {
    const [chunk] = await fetcher.fetch({ bytesMax: 300, waitMaxMs: 1_000 })
    assert.ok(chunk !== undefined && chunk.outOfRange === undefined)
    for (const one of recordsOf(chunk, position)) {
      assert.ok(one.offset >= (seen.at(-1)?.offset ?? -1), 'offsets went back')
      seen.push(one)
    }
    position = chunk.nextOffset
    return position < chunk.end
  }
  return {
    seen,
    step,
    async toEnd() {
      while (await step()) continue
    }
  }
}

test('what compaction leaves fits in few segments, however often it runs', () =>
  inScene(async (scene) => {
    const at = await scene.small({ cleanupPolicy: 'compact' })
    for (let round = 0; round < 6; round++) {
      await scene.fill(at, 40, (i) => `k${i % 5}`)
      await scene.transport.admin().maintain()
      assert.ok(scene.segmentFiles().length <= 3, scene.segmentFiles().join(' '))
      assert.equal(new Set((await scene.read(at)).map(({ key }) => key)).size, 5)
    }
    assert.equal((await scene.read(at)).length, 5)
  }))

test('cleaners at once, and processes that open meanwhile, take nothing from each other', () =>
  inScene(async (scene) => {
    const at = await scene.small({ cleanupPolicy: 'compact' })
    const other = await scene.connect()
    for (let round = 1; round <= 3; round++) {
      await scene.fill(at, 120, (i) => `k${i % 50}`)
      let isOver = false
      const openOn = async (): Promise<void> => {
        // Each one sweeps what has no row yet: the file that a cleaner writes to.
        for (; !isOver; await realClock.turn()) await (await scene.connect()).close()
      }
      const opening = openOn()
      const cleaners = [scene.transport, other].map((one) => one.admin().maintain())
      await Promise.all(cleaners).finally(() => {
        isOver = true
      })
      await opening
      const last = new Map((await scene.read(at)).map(({ key, offset }) => [key, offset]))
      const from = round * 120 - 50
      const expected = upTo(50).map((i) => [`k${((from + i) % 120) % 50}`, from + i] as const)
      for (const [key, offset] of expected) assert.equal(last.get(key), offset, key)
      assert.equal(last.size, 50)
    }
  }))

test('a reader behind everything that compaction took reaches the end', () =>
  inScene(async (scene) => {
    const at = await scene.small({
      cleanupPolicy: 'compact',
      extra: { 'delete.retention.ms': '0' }
    })
    await scene.sendAll([record(at, { key: 'k', value: 'v' })])
    await scene.sendAll([record(at, { key: 'k', value: null })])
    const fetcher = await scene.transport.fetcher()
    fetcher.add([{ ...at, offset: 1 }])
    await scene.transport.admin().maintain()
    await scene.pause(5)
    await scene.sendAll([record(at, { key: 'k', value: null })])
    await scene.transport.admin().maintain()
    await scene.pause(5)
    await scene.sendAll([record(at, { key: 'other', value: 'x' })])
    await scene.sendAll([record(at, { key: 'other', value: null })])
    await scene.transport.admin().maintain()
    let position = 1
    while (position < 5) {
      const [chunk] = await fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 2_000 })
      assert.ok(chunk !== undefined, `stuck at ${position}`)
      position = chunk.nextOffset
    }
  }))

test('descriptors stay few over many partitions, and the WAL small', () =>
  inScene(async (scene) => {
    const topic = await scene.topic(400)
    const all = upTo(400).map((partition) => ({ topic, partition }))
    for (let round = 0; round < 3; round++) {
      await scene.sendAll(all.map((at) => record(at, { value: `${round}` })))
    }
    const fetcher = await scene.transport.fetcher()
    fetcher.add(all.map((at) => ({ ...at, offset: 0 })))
    let records = 0
    while (records < 1_200) {
      for (const chunk of await fetcher.fetch({ bytesMax: 1 << 20, waitMaxMs: 1_000 })) {
        records += recordsOf(chunk, 0).length
      }
    }
    assert.ok(readdirSync('/proc/self/fd').length < 400)
    assert.ok(statSync(join(scene.directory, 'log.db-wal')).size < 8 * 1024 * 1024)
  }))

test('files that nothing points to are swept at open, and only those', () =>
  inScene(async (scene) => {
    const at = await scene.small()
    await scene.fill(at, 30, (i) => `${i}`)
    const before = scene.segmentFiles()
    await reopened(
      scene,
      () => writeFileSync(join(scene.directory, 'segments', '1-999.7.seg'), 'garbage'),
      async (again) => {
        assert.deepEqual(again.segmentFiles(), before)
        assert.deepEqual(numbers(await again.read(at)), upTo(30))
      }
    )
  }))

test('after a restart of the machine that lost nothing only the leader epoch moves', () =>
  inScene(async (scene) => {
    const at = await scene.small()
    await scene.fill(at, 30, (i) => `${i}`)
    const { epoch } = await scene.range(at)
    await reopened(
      scene,
      (db) => db.exec(otherBoot),
      async (again) => {
        assert.deepEqual(await again.range(at), { start: 0, end: 30, epoch: epoch + 1 })
        assert.deepEqual(numbers(await again.read(at)), upTo(30))
        const same = await again.connect()
        const [range] = await same.admin().ranges([at])
        assert.equal(range?.leaderEpoch, epoch + 1, 'raised once, not by every connection')
      }
    )
  }))

const tears: readonly (readonly [string, (path: string) => void])[] = [
  ['cut short', (path) => truncateSync(path, statSync(path).size - 50)],
  ['gone', (path) => truncateSync(path, 0)]
]

for (const [what, tear] of tears) {
  test(`a tail whose bytes are ${what} after a power cut is cut at its last whole batch`, () =>
    inScene(async (scene) => {
      const at = await scene.small()
      await scene.fill(at, 30, (i) => `${i}`)
      const files = scene.segmentFiles().sort((a, b) => baseOf(a) - baseOf(b))
      // Also a sealed segment that had not reached the disk yet.
      const torn = files.at(-2)
      assert.ok(torn !== undefined)
      await reopened(
        scene,
        (db) => {
          tear(join(scene.directory, 'segments', torn))
          db.exec(otherBoot)
          db.exec(`INSERT INTO committed SELECT 'g', id, 30, '' FROM partition`)
        },
        async (again) => {
          const { end } = await again.range(at)
          assert.ok(end >= baseOf(torn) && end < 30)
          assert.deepEqual(numbers(await again.read(at)), upTo(end))
          assert.equal(await again.committed('g', at), end)
          await again.fill(at, 20, (i) => `${i}`)
          assert.deepEqual(numbers(await again.read(at, end)), upTo(20))
        }
      )
    }))
}

function baseOf(name: string): number {
  return Number(/-(\d+)\./.exec(name)?.[1])
}

test('a segment that was deleted by hand is reported, never read over', () =>
  inScene(async (scene) => {
    const at = await scene.small()
    await scene.fill(at, 30, (i) => `${i}`)
    const first = scene.segmentFiles().find((name) => baseOf(name) === 0)
    assert.ok(first !== undefined)
    await reopened(
      scene,
      () => truncateSync(join(scene.directory, 'segments', first), 10),
      async (again) => {
        await assert.rejects(again.read(at), (error) =>
          hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT')
        )
      }
    )
  }))
