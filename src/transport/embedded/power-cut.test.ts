// What has to be on the disk itself, and when: the order in which a power cut may take things, and
// what others may do between two of them.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { existsSync, readdirSync } from 'node:fs'
import promises from 'node:fs/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DatabaseSync, type SQLInputValue, StatementSync } from 'node:sqlite'
import { mock, test } from 'node:test'
import { record, TransportScene } from '../../conformance/transport-scene.ts'
import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { createEmbeddedTransport } from './index.ts'

async function inLog(
  synchronous: 'normal' | 'full',
  run: (scene: TransportScene, directory: string) => Promise<void>
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
  const transport = createEmbeddedTransport({ directory, clock: realClock, synchronous })
  await transport.open()
  const connect = (): Promise<Transport> => Promise.reject(new Error('not used'))
  const log = { clock: realClock, connect, dispose: () => transport.close() }
  try {
    await run(new TransportScene(log, transport, { sessionTimeoutMs: 1_000 }), directory)
  } finally {
    mock.restoreAll()
    syncBuiltinESMExports()
    await transport.close()
    await rm(directory, { recursive: true })
  }
}

test('compaction brings what replaces a record to the disk before the record goes', () =>
  inLog('normal', async (scene, directory) => {
    const extra = { 'segment.bytes': '1' }
    const at = { topic: await scene.topic(1, { cleanupPolicy: 'compact', extra }), partition: 0 }
    for (const value of ['old', 'newer', 'newest']) {
      await scene.sendAll([record(at, { key: 'k', value })])
    }
    const segments = join(directory, 'segments')
    const sources = readdirSync(segments)
    /** Of each file that was synced: which sources were still there. */
    const synced = new Map<string, readonly string[]>()
    const open = promises.open
    mock.method(promises, 'open', async (...args: Parameters<typeof open>) => {
      const file = await open(...args)
      const sync = file.datasync.bind(file)
      file.datasync = async () => {
        await sync()
        const left = sources.filter((name) => existsSync(join(segments, name)))
        synced.set(basename(String(args[0])), left)
      }
      return file
    })
    syncBuiltinESMExports()
    await scene.transport.admin().maintain()
    assert.deepEqual(await scene.values(at), ['newest'])
    for (const source of sources) {
      assert.deepEqual(synced.get(source), sources, `${source} was not synced while all were there`)
    }
  }))

test('a topic deleted between compacting and swapping leaves nothing behind', () =>
  inLog('normal', async (scene, directory) => {
    const extra = { 'segment.bytes': '1' }
    const at = { topic: await scene.topic(1, { cleanupPolicy: 'compact', extra }), partition: 0 }
    for (const value of ['old', 'new']) await scene.sendAll([record(at, { key: 'k', value })])
    const admin = scene.transport.admin()
    const open = promises.open
    mock.method(promises, 'open', async (...args: Parameters<typeof open>) => {
      // The output is whole, and about to take the place of its sources.
      if (!String(args[0]).endsWith('.0.seg')) await admin.delete([at.topic])
      return open(...args)
    })
    syncBuiltinESMExports()
    await admin.maintain()
    assert.deepEqual(readdirSync(join(directory, 'segments')), [])
    const db = new DatabaseSync(join(directory, 'log.db'), { readOnly: true })
    const rows = db.prepare('SELECT * FROM segment').all()
    db.close()
    assert.deepEqual(rows, [])
  }))

test('files go only after the commit that gives them up is on the disk itself', () =>
  inLog('normal', async (scene) => {
    const extra = { 'segment.bytes': '1' }
    const compacted = { cleanupPolicy: 'compact', extra } as const
    const kept = { topic: await scene.topic(1, { extra }), partition: 0 }
    const clean = { topic: await scene.topic(1, compacted), partition: 0 }
    for (const at of [kept, clean]) {
      for (const value of ['1', '2', '3']) await scene.sendAll([record(at, { key: 'k', value })])
    }
    const steps: string[] = []
    const run = StatementSync.prototype.run
    mock.method(
      StatementSync.prototype,
      'run',
      function (this: StatementSync, ...values: SQLInputValue[]) {
        if (/^(COMMIT|PRAGMA synchronous)/.test(this.sourceSQL)) steps.push(this.sourceSQL)
        return Reflect.apply(run, this, values)
      }
    )
    const unlink = fs.unlinkSync
    mock.method(fs, 'unlinkSync', (path: string) => {
      steps.push('unlink')
      unlink(path)
    })
    syncBuiltinESMExports()
    const admin = scene.transport.admin()
    const acts = [
      () => admin.deleteRecords(kept, 2),
      () => admin.maintain(),
      () => admin.delete([clean.topic])
    ]
    for (const act of acts) {
      steps.length = 0
      await act()
      const unlinked = steps.indexOf('unlink')
      assert.ok(unlinked > 0, 'nothing was unlinked')
      const before = steps
        .slice(0, unlinked)
        .filter((step) => step !== 'PRAGMA synchronous = normal')
      assert.deepEqual(before.slice(-2), ['PRAGMA synchronous = FULL', 'COMMIT'])
    }
  }))

for (const synchronous of ['normal', 'full'] as const) {
  const what = synchronous === 'full' ? 'brings bytes to the disk' : 'leaves bytes to the system'
  test(`a log that is synchronous: ${synchronous} ${what} before its commit`, () =>
    inLog(synchronous, async (scene, directory) => {
      const at = { topic: await scene.topic(), partition: 0 }
      await scene.send(at, 'first')
      const reader = new DatabaseSync(join(directory, 'log.db'))
      const next = (): unknown => reader.prepare('SELECT max(next) AS next FROM partition').get()
      const seen: unknown[] = []
      const sync = fs.fdatasyncSync
      mock.method(fs, 'fdatasyncSync', (descriptor: number) => {
        seen.push(next())
        sync(descriptor)
      })
      syncBuiltinESMExports()
      await scene.send(at, 'second')
      const committed = next()
      reader.close()
      assert.deepEqual({ ...Object(committed) }, { next: 2 })
      const before = synchronous === 'full' ? [{ next: 1 }] : []
      assert.deepEqual(
        seen.map((row) => ({ ...Object(row) })),
        before
      )
    }))
}
