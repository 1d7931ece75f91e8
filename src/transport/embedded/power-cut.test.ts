// What has to be on the disk itself, and when: the order in which a power cut may take things.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { existsSync, readdirSync } from 'node:fs'
import promises from 'node:fs/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
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
