// What runs short or goes wrong around the log: descriptors, room in a transaction, topics and
// files that go away. Nothing hangs, nothing grows, and what fails says so.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync, unlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  record,
  recordsOf,
  rejectsWith,
  TransportScene
} from '../../conformance/transport-scene.ts'
import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { Database } from './database.ts'
import { logPaths } from './directory.ts'
import { createEmbeddedTransport } from './index.ts'
import { logSchema } from './schema.ts'
import { SegmentFiles } from './segments.ts'
import { transactionBytesMax } from './writer.ts'

async function inScene(
  run: (scene: TransportScene, directory: string) => Promise<void>
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
  const opened: Transport[] = []
  const connect = async (): Promise<Transport> => {
    const transport = createEmbeddedTransport({ directory, clock: realClock })
    opened.push(transport)
    await transport.open()
    return transport
  }
  const dispose = async (): Promise<void> => {
    for (const one of opened) await one.close()
    await rm(directory, { recursive: true })
  }
  const log = { clock: realClock, connect, dispose }
  try {
    await run(new TransportScene(log, await connect(), { sessionTimeoutMs: 1_000 }), directory)
  } finally {
    await dispose()
  }
}

function limitTests(): void {
  test('a topic made again with other settings is written by those', () =>
    inScene(async (scene) => {
      const at = { topic: await scene.topic(), partition: 0 }
      const producer = await scene.transport.transactionalProducer('p')
      const write = async (): Promise<void> => {
        await producer.begin()
        producer.append('task', record(at, { value: 'v', timestamp: 5 }))
        await producer.end()
      }
      await write()
      const admin = scene.transport.admin()
      const [before] = await admin.describe([at.topic])
      assert.ok(before !== undefined)
      const remake = async (timestampType: 'append' | 'create'): Promise<void> => {
        await admin.delete([at.topic])
        await admin.create([{ ...before, settings: { ...before.settings, timestampType } }])
      }
      await remake('append')
      const since = realClock.now()
      await write()
      const [found] = await scene.read(at)
      assert.ok(found !== undefined && found.timestamp >= since, 'the log did not stamp it')

      await producer.begin()
      producer.append('task', record(at, { value: 'for the one before' }))
      await remake('create')
      await rejectsWith(producer.end(), 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC', true)
      assert.equal((await scene.range(at)).end, 0)
      await write()
      assert.deepEqual(await scene.values(at), ['v'])
    }))

  test('a lost segment fails a search by time, and does not make it go on for ever', () =>
    inScene(async (scene, directory) => {
      const at = { topic: await scene.topic(1, { extra: { 'segment.bytes': '1' } }), partition: 0 }
      await scene.sendApart(at, 'a', 'b', 'c')
      const segments = join(directory, 'segments')
      const first = readdirSync(segments).find((name) => name.includes('-0.'))
      assert.ok(first !== undefined)
      unlinkSync(join(segments, first))
      const admin = (await scene.connect()).admin()
      await rejectsWith(admin.offsetAt(at, 1_600_000_000_000), 'TAILRACE_TRANSPORT_CORRUPT')
      // No segment is young enough, so none is read.
      assert.equal(await admin.offsetAt(at, 1_800_000_000_000), 3)
    }))

  test('sends that came at once are written in transactions of a bounded size', () =>
    inScene(async (scene, directory) => {
      const topic = await scene.topic(8)
      const value = 'x'.repeat(64 * 1024)
      const watching = await Database.open({
        file: logPaths(directory).log,
        directory,
        schema: logSchema,
        synchronous: 'normal',
        clock: realClock
      })
      const versions = new Set<number>()
      let isDone = false
      const watch = async (): Promise<void> => {
        for (; !isDone; await realClock.turn()) versions.add(watching.version())
      }
      const watched = watch()
      const count = 512
      const records = Array.from({ length: count }, (_, i) => {
        return record({ topic, partition: i % 8 }, { value })
      })
      await scene.sendAll(records)
      isDone = true
      await watched
      watching.close()
      // A round takes each partition's share of it whole, hence the slack.
      const least = (count * value.length) / (transactionBytesMax * 3)
      assert.ok(versions.size > least, `${versions.size} transactions were seen`)
    }))

  test('garbage behind a committed end, of a sealed segment too, is never read', () =>
    inScene(async (scene, directory) => {
      const at = {
        topic: await scene.topic(1, { extra: { 'segment.bytes': '200' } }),
        partition: 0
      }
      await scene.sendApart(at, 'a', 'b')
      const garbage = Buffer.alloc(500, 0xab)
      const spoil = (): void => {
        // As a writer leaves it that was killed before its commit.
        const files = new SegmentFiles(join(directory, 'segments'))
        for (const name of readdirSync(join(directory, 'segments'))) {
          const [partition = 0, base = 0] = name.split(/[-.]/).map(Number)
          const segment = { partition, base, generation: 0 }
          files.write(segment, [garbage], files.sizeOf(segment) ?? 0)
        }
        files.close()
      }
      const values = ['a', 'b']
      for (const next of ['c', 'd', 'e', 'f']) {
        spoil()
        assert.deepEqual(await scene.values(at), values)
        await scene.sendApart(at, next)
        values.push(next)
        assert.deepEqual(await scene.values(at), values)
      }
      assert.ok(readdirSync(join(directory, 'segments')).length > 1, 'no segment was sealed')
      assert.equal(await scene.transport.admin().offsetAt(at, 1_800_000_000_000), 6)
    }))

  test('a reader and a search that pause in the middle let the WAL stay small', () =>
    inScene(async (scene, directory) => {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.sendApart(at, ...Array.from({ length: 20 }, () => 'x'.repeat(1_000)))
      const reader = await (await scene.connect()).fetcher()
      reader.add([{ ...at, offset: 0 }])
      await reader.fetch({ bytesMax: 1, waitMaxMs: 1_000 })
      const other = { topic: await scene.topic(), partition: 0 }
      for (let i = 0; i < 3_000; i++) await scene.send(other, 'y')
      assert.ok(statSync(join(directory, 'log.db-wal')).size < 8 * 1024 * 1024)
      const [chunk] = await reader.fetch({ bytesMax: 1, waitMaxMs: 1_000 })
      assert.ok(chunk !== undefined && recordsOf(chunk, 1).length > 0)
    }))

  test('with few descriptors left it works with those', { timeout: 60_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
    try {
      const run = `ulimit -n 64 && exec '${process.execPath}' ${process.execArgv
        .filter((arg) => !arg.startsWith('--test'))
        .map((arg) => `'${arg}'`)
        .join(' ')} '${import.meta.filename}' '${directory}'`
      const { NODE_TEST_CONTEXT: _, ...env } = process.env
      const said = execFileSync('/bin/sh', ['-c', run], { env, encoding: 'utf8', timeout: 50_000 })
      assert.equal(said.trim(), '300 of 300')
    } finally {
      await rm(directory, { recursive: true })
    }
  })
}

/** In a process with few descriptors: one record through each of many partitions. */
async function sendAndRead(directory: string): Promise<string> {
  const transport = createEmbeddedTransport({ directory, clock: realClock })
  await transport.open()
  const partitions = Array.from({ length: 300 }, (_, partition) => ({ topic: 'many', partition }))
  const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
  const spec = {
    name: 'many',
    partitions: 300,
    replication: 1,
    settings: { ...settings, extra: {} }
  }
  await transport.admin().create([spec])
  const producer = await transport.producer()
  await Promise.all(partitions.map((at) => producer.send(record(at, { value: 'v' }))))
  const fetcher = await transport.fetcher()
  fetcher.add(partitions.map((at) => ({ ...at, offset: 0 })))
  let read = 0
  while (read < 300) {
    const chunks = await fetcher.fetch({ bytesMax: 1024 * 1024, waitMaxMs: 1_000 })
    for (const chunk of chunks) read += recordsOf(chunk, 0).length
  }
  await transport.close()
  return `${read} of ${partitions.length}`
}

const [, , directory] = process.argv
if (directory === undefined) limitTests()
else process.stdout.write(await sendAndRead(directory))
