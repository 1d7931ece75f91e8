// Mistakes that are easily made again in code around SQLite and watches, each kept out by a test.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { mock, test } from 'node:test'
import { record, rejectsWith } from '../../conformance/transport-scene.ts'
import { hasCode } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { isProcessAlive } from './boot.ts'
import { Database } from './database.ts'
import { createEmbeddedTransport } from './index.ts'

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
  try {
    await run(directory)
  } finally {
    mock.restoreAll()
    syncBuiltinESMExports()
    await rm(directory, { recursive: true })
  }
}

async function withTransport(
  directory: string,
  run: (transport: Transport) => Promise<void>
): Promise<void> {
  const transport = createEmbeddedTransport({ directory, clock: realClock })
  await transport.open()
  try {
    await run(transport)
  } finally {
    await transport.close()
  }
}

async function sendOne(transport: Transport): Promise<void> {
  const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
  const spec = {
    name: 'topic',
    partitions: 1,
    replication: 1,
    settings: { ...settings, extra: {} }
  }
  await transport.admin().create([spec])
  const producer = await transport.producer()
  await producer.send(record({ topic: 'topic', partition: 0 }, { value: 'v' }))
}

test('a log is not opened with an SQLite that several writers can corrupt', () =>
  inDirectory(async (directory) => {
    const prepare = DatabaseSync.prototype.prepare
    mock.method(DatabaseSync.prototype, 'prepare', function (this: DatabaseSync, sql: string) {
      return prepare.call(this, sql.replace('sqlite_version()', "'3.51.2'"))
    })
    const transport = createEmbeddedTransport({ directory, clock: realClock })
    await rejectsWith(transport.open(), 'TAILRACE_TRANSPORT_SQLITE_VERSION', true)
    mock.restoreAll()
    await transport.open()
    await transport.close()
  }))

test('a log on a disk that machines share is not opened', () =>
  inDirectory(async (directory) => {
    const nfs = 0x6969
    const statfs = fs.statfsSync
    mock.method(fs, 'statfsSync', (path: fs.PathLike) => Object.assign(statfs(path), { type: nfs }))
    syncBuiltinESMExports()
    const transport = createEmbeddedTransport({ directory, clock: realClock })
    await rejectsWith(transport.open(), 'TAILRACE_STATE_NETWORK_DISK', true)
    assert.deepEqual(readdirSync(directory), [], 'nothing was made there')
  }))

test('a process that may not be asked about is taken to live', () => {
  assert.equal(isProcessAlive(process.pid), true)
  for (const [code, isAlive] of [
    ['EPERM', true],
    ['ESRCH', false]
  ] as const) {
    mock.method(process, 'kill', () => {
      throw Object.assign(new Error(code), { code })
    })
    assert.equal(isProcessAlive(2 ** 22), isAlive, code)
    mock.restoreAll()
  }
})

test('a lock that is held for ever is reported, with what may hold it', () =>
  inDirectory(async (directory) => {
    let now = 0
    // Each look at the clock takes five seconds.
    const clock: Clock = { ...realClock, monotonic: () => (now += 5_000) }
    const file = join(directory, 'x.db')
    const schema = 'CREATE TABLE t(n INTEGER) STRICT'
    const database = await Database.open({ file, directory, schema, synchronous: 'normal', clock })
    const stopped = new DatabaseSync(file)
    stopped.exec('BEGIN IMMEDIATE')
    try {
      const writing = database.transaction(() => database.run('INSERT INTO t VALUES (1)'))
      await assert.rejects(writing, (error) => {
        assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE') && error.isDefinite)
        return /SIGSTOP/.test(error.hint ?? '')
      })
      assert.equal(database.get('SELECT count(*) AS n FROM t')?.['n'], 0)
    } finally {
      stopped.close()
      database.close()
    }
  }))

test('the databases are opened by SQLite alone: any other close would drop its locks', () => {
  const users = { log: [] as string[], groups: [] as string[], iterate: [] as string[] }
  for (const name of readdirSync(import.meta.dirname)) {
    if (name.endsWith('.test.ts')) continue
    const source = readFileSync(join(import.meta.dirname, name), 'utf8')
    if (/\bpaths\.log\b/.test(source)) users.log.push(name)
    if (/\bpaths\.groups\b/.test(source)) users.groups.push(name)
    // An open iterator pins a snapshot, and the WAL grows behind it.
    if (/\.iterate\(/.test(source)) users.iterate.push(name)
  }
  assert.deepEqual(users, { log: ['log.ts'], groups: ['members.ts'], iterate: [] })
})

test('numbers are stored as integers, although they are bound as reals', () =>
  inDirectory(async (directory) => {
    await withTransport(directory, sendOne)
    const db = new DatabaseSync(join(directory, 'log.db'), { readOnly: true })
    try {
      const tables = db.prepare(`SELECT name, strict FROM pragma_table_list WHERE schema = 'main'`)
      for (const { name, strict } of tables.all()) {
        if (!String(name).startsWith('sqlite_')) assert.equal(strict, 1, `${name} is not STRICT`)
      }
      const types = 'SELECT typeof(next) AS next, typeof(position) AS position FROM partition'
      assert.deepEqual({ ...db.prepare(types).get() }, { next: 'integer', position: 'integer' })
    } finally {
      db.close()
    }
  }))

for (const what of ['cannot be made', 'breaks later'] as const) {
  test(`where a watch ${what}, waiting goes on by polling`, { timeout: 30_000 }, () =>
    inDirectory(async (directory) => {
      const watch = fs.watch
      mock.method(fs, 'watch', (...args: Parameters<typeof watch>) => {
        const watcher = watch(...args)
        watcher.close()
        if (what === 'cannot be made') throw new Error('EMFILE: inotify_add_watch')
        setImmediate(() => watcher.emit('error', new Error('gone')))
        return watcher
      })
      syncBuiltinESMExports()
      await withTransport(directory, async (transport) => {
        await sendOne(transport)
        await withTransport(directory, async (reader) => {
          const fetcher = await reader.fetcher()
          fetcher.add([{ topic: 'topic', partition: 0, offset: 1 }])
          await fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 1 })
          const since = realClock.monotonic()
          const waiting = fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 25_000 })
          await sendOne(transport)
          assert.equal((await waiting)[0]?.nextOffset, 2)
          assert.ok(realClock.monotonic() - since < 10_000, 'it waited for the whole time')
        })
      })
    })
  )
}
