// Mistakes that are easily made again in code around SQLite and watches, each kept out by a test.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, StatementSync } from 'node:sqlite'
import { mock, test } from 'node:test'
import { record, recordsOf, rejectsWith, taskOf } from '../../conformance/transport-scene.ts'
import { hasCode } from '../../core/errors.ts'
import { type Cancel, type Clock, pause } from '../../port/clock.ts'
import type { Producer, Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { isProcessAlive } from './boot.ts'
import { Database } from './database.ts'
import { logPaths } from './directory.ts'
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

const at = { topic: 'topic', partition: 0 }

async function madeTopic(
  transport: Transport,
  extra: Readonly<Record<string, string>> = {}
): Promise<Producer> {
  const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
  const spec = { name: at.topic, partitions: 1, replication: 1, settings: { ...settings, extra } }
  await transport.admin().create([spec])
  return transport.producer()
}

async function sendOne(transport: Transport): Promise<void> {
  await (await madeTopic(transport)).send(record(at, { value: 'v' }))
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

test('every commit touches the file that readers watch', () =>
  inDirectory((directory) =>
    withTransport(directory, async (transport) => {
      const { logNudge } = logPaths(directory)
      await sendOne(transport)
      fs.utimesSync(logNudge, 1, 1)
      await sendOne(transport)
      assert.ok(fs.statSync(logNudge).mtimeMs > 1_000)
    })
  ))

test('after a failed write no descriptor is kept of a file that others may make anew', () =>
  inDirectory((directory) =>
    withTransport(directory, async (transport) => {
      // Two records fit in a segment: the third begins a file that has no row yet.
      const producer = await madeTopic(transport, { 'segment.bytes': '150' })
      const send = (): Promise<unknown> => producer.send(record(at, { value: 'v' }))
      await send()
      await send()
      // Its bytes are written, and then the commit finds no room.
      const run = StatementSync.prototype.run
      let isFull = true
      mock.method(
        StatementSync.prototype,
        'run',
        function (this: StatementSync, ...values: SQLInputValue[]) {
          if (this.sourceSQL !== 'COMMIT' || !isFull) return Reflect.apply(run, this, values)
          isFull = false
          throw Object.assign(new Error('database or disk is full'), { errcode: 13 })
        }
      )
      await rejectsWith(send(), 'TAILRACE_STATE_FULL', true)
      mock.restoreAll()
      // Another one opens, sweeps what nothing points to, and makes the file anew.
      await withTransport(directory, async (other) => {
        await sendOne(other)
        await send()
        const fetcher = await other.fetcher()
        fetcher.add([{ ...at, offset: 2 }])
        const [chunk] = await fetcher.fetch({ bytesMax: 100_000, waitMaxMs: 1_000 })
        assert.ok(chunk !== undefined)
        assert.equal(recordsOf(chunk, 2).length, 2)
      })
    })
  ))

test('a member that was held up itself does not give up those that were held up with it', () =>
  inDirectory((directory) =>
    withTransport(directory, async (transport) => {
      const request = { group: 'g', topologyHash: 'h', tasks: [taskOf(0, 't')], url: undefined }
      const times = { sessionTimeoutMs: 300, heartbeatMs: 30 }
      const [one, two] = [await transport.coordinator(), await transport.coordinator()]
      await one.join({ ...request, ...times, memberId: 'one' })
      await two.join({ ...request, ...times, memberId: 'two' })
      for (const member of [one, two]) await member.beat()
      // As if the machine, or the container, had been stopped for a while.
      await pause(realClock, 600)
      assert.equal((await one.beat()).view.members.length, 2)
      assert.equal((await two.beat()).isLost, false)
    })
  ))

test(
  'what another process deleted is let go of, so that its room is free',
  { timeout: 30_000 },
  () =>
    inDirectory(async (directory) => {
      if (!existsSync('/proc/self/fd')) return
      // Its housekeeping comes at once, and not every ten seconds.
      const schedule = (delayMs: number, run: () => void): Cancel =>
        realClock.schedule(Math.min(delayMs, 20), run)
      const reader = createEmbeddedTransport({ directory, clock: { ...realClock, schedule } })
      await reader.open()
      try {
        await withTransport(directory, async (transport) => {
          await sendOne(transport)
          const fetcher = await reader.fetcher()
          fetcher.add([{ ...at, offset: 0 }])
          await fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 1_000 })
          await transport.admin().delete(['topic'])
        })
        while (heldSegments(directory) > 0) await pause(realClock, 10)
      } finally {
        await reader.close()
      }
    })
)

function heldSegments(directory: string): number {
  const isHeld = (fd: string): boolean => {
    try {
      return readlinkSync(join('/proc/self/fd', fd)).startsWith(join(directory, 'segments'))
    } catch {
      return false
    }
  }
  return readdirSync('/proc/self/fd').filter(isHeld).length
}

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
          fetcher.add([{ ...at, offset: 1 }])
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
