// What opening refuses, and that a busy log never blocks the event loop.
import assert from 'node:assert/strict'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { hasCode } from '../../core/errors.ts'
import { pause } from '../../port/clock.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { checkSqliteVersion, Database } from './database.ts'
import { logPaths, prepareDirectory, refuseNetworkDisk } from './directory.ts'
import { failureOf } from './failure.ts'
import { openLog } from './log.ts'
import { formatVersion } from './schema.ts'
import { Wakeup } from './wake.ts'

async function inDirectory(run: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
  try {
    await run(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

function open(directory: string, schema = 'CREATE TABLE t(n INTEGER) STRICT'): Promise<Database> {
  const file = join(directory, 'x.db')
  return Database.open({ file, directory, schema, synchronous: 'normal', clock: realClock })
}

test('an SQLite with the bug of several writers is refused, a mended one is not', () => {
  for (const version of ['3.51.3', '3.51.10', '3.52.0', '4.0.0']) checkSqliteVersion(version)
  for (const version of ['3.51.2', '3.50.4', '3.7.17', '2.9.9']) {
    assert.throws(
      () => checkSqliteVersion(version),
      (error) => hasCode(error, 'TAILRACE_TRANSPORT_SQLITE_VERSION')
    )
  }
})

test('databases of others, files that are none and newer formats are refused unharmed', () =>
  inDirectory(async (directory) => {
    const refuse = (path: string): Promise<void> =>
      assert.rejects(
        openLog({ directory: path, clock: realClock, synchronous: 'normal' }),
        (error) => hasCode(error, 'TAILRACE_STATE_FOREIGN')
      )
    const foreign = join(directory, 'foreign')
    mkdirSync(foreign)
    const db = new DatabaseSync(join(foreign, 'log.db'))
    db.exec('CREATE TABLE theirs(n)')
    db.close()
    await refuse(foreign)
    const theirs = new DatabaseSync(join(foreign, 'log.db'))
    assert.equal(theirs.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'delete')
    theirs.close()

    const text = join(directory, 'text')
    mkdirSync(text)
    writeFileSync(join(text, 'log.db'), 'this is no database, it is a long text '.repeat(100))
    await refuse(text)

    const newer = join(directory, 'newer')
    const log = await openLog({ directory: newer, clock: realClock, synchronous: 'normal' })
    log.wakeup.close()
    log.database.close()
    const raised = new DatabaseSync(join(newer, 'log.db'))
    raised.exec(`PRAGMA user_version = ${formatVersion + 1}`)
    raised.close()
    await refuse(newer)
  }))

test('a directory that cannot be made or is on a network disk is refused', () =>
  inDirectory((directory) => {
    writeFileSync(join(directory, 'file'), '')
    assert.throws(
      () => prepareDirectory(logPaths(join(directory, 'file', 'log'))),
      (error) => hasCode(error, 'TAILRACE_STATE_UNWRITABLE')
    )
    assert.throws(
      () => refuseNetworkDisk(directory, 0x6969),
      (error) => hasCode(error, 'TAILRACE_STATE_NETWORK_DISK') && /nfs/.test(error.message)
    )
    refuseNetworkDisk(directory, 0xef53)
  }))

test('directories are made for their owner alone', () =>
  inDirectory((directory) => {
    const paths = logPaths(join(directory, 'deep', 'log'))
    prepareDirectory(paths)
    for (const path of [paths.directory, paths.segments]) {
      assert.equal(statSync(path).mode & 0o777, 0o700)
    }
  }))

test('a full disk is told apart from one that cannot be written, and ours stays ours', () => {
  const site = { verb: 'written', directory: '/x', isDefinite: true }
  const systemError = (code: string): Error => Object.assign(new Error(code), { code })
  const sqliteError = (errcode: number): Error => Object.assign(new Error('x'), { errcode })
  const codes: readonly (readonly [Error, string])[] = [
    [systemError('ENOSPC'), 'TAILRACE_STATE_FULL'],
    [systemError('EDQUOT'), 'TAILRACE_STATE_FULL'],
    [systemError('EROFS'), 'TAILRACE_STATE_UNWRITABLE'],
    [systemError('EIO'), 'TAILRACE_TRANSPORT_UNAVAILABLE'],
    [sqliteError(13), 'TAILRACE_STATE_FULL'],
    [sqliteError(8 | (1 << 8)), 'TAILRACE_STATE_UNWRITABLE'],
    [sqliteError(11), 'TAILRACE_TRANSPORT_CORRUPT'],
    [sqliteError(10), 'TAILRACE_TRANSPORT_UNAVAILABLE']
  ]
  for (const [error, code] of codes) {
    const failure = failureOf(error, site)
    assert.equal(failure.code, code)
    assert.equal(failure.isDefinite, true)
    assert.equal(failure.cause, error)
    assert.equal(failureOf(failure, { ...site, isDefinite: false }), failure)
  }
})

test('while another connection has the lock a transaction waits and the loop turns', () =>
  inDirectory(async (directory) => {
    const database = await open(directory)
    const holder = new DatabaseSync(join(directory, 'x.db'))
    holder.exec('BEGIN IMMEDIATE')
    let turns = 0
    const waiting = database.transaction(() => database.run('INSERT INTO t VALUES (1)'))
    const counter = setInterval(() => turns++, 1)
    await pause(realClock, 60)
    assert.equal(database.get('SELECT count(*) AS n FROM t')?.['n'], 0, 'reads go on meanwhile')
    holder.exec('COMMIT')
    await waiting
    clearInterval(counter)
    assert.ok(turns > 10, `the event loop turned ${turns} times in 60 ms`)
    assert.equal(database.get('SELECT count(*) AS n FROM t')?.['n'], 1)
    holder.close()
    database.close()
  }))

test('a transaction that throws leaves nothing, and the next one works', () =>
  inDirectory(async (directory) => {
    const database = await open(directory)
    const failing = database.transaction(() => {
      database.run('INSERT INTO t VALUES (1)')
      throw new Error('on purpose')
    })
    await assert.rejects(failing, (error) => {
      return hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE') && error.isDefinite
    })
    await database.transaction(() => database.run('INSERT INTO t VALUES (2)'), { isDurable: true })
    assert.deepEqual({ ...database.get('SELECT * FROM t') }, { n: 2 })
    assert.equal(database.get('PRAGMA synchronous')?.['synchronous'], 1, 'normal again')
    database.close()
  }))

test('the version moves with the commits of others and with its own', () =>
  inDirectory(async (directory) => {
    const [one, two] = [await open(directory), await open(directory)]
    const before = one.version()
    assert.equal(one.version(), before)
    await two.transaction(() => two.run('INSERT INTO t VALUES (1)'))
    const after = one.version()
    assert.ok(after > before)
    await one.transaction(() => one.run('INSERT INTO t VALUES (1)'))
    assert.ok(one.version() > after)
    one.close()
    two.close()
  }))

test('without a watch, polling finds a change', () =>
  inDirectory(async (directory) => {
    let version = 1
    const file = join(directory, 'byte')
    const wakeup = new Wakeup({ file, clock: realClock, version: () => version, canWatch: false })
    await wakeup.wait(0)
    const before = realClock.monotonic()
    const woken = wakeup.wait(5_000)
    await pause(realClock, 60)
    version++
    await woken
    assert.ok(realClock.monotonic() - before < 1_000)
    wakeup.close()
  }))

test('the nudge file never grows, and wakes whoever watches it', () =>
  inDirectory(async (directory) => {
    mkdirSync(join(directory, 'nudge'))
    const file = join(directory, 'nudge', 'byte')
    const [one, two] = [1, 2].map(
      () => new Wakeup({ file, clock: realClock, version: () => 0, canWatch: true })
    )
    assert.ok(one !== undefined && two !== undefined)
    for (let i = 0; i < 3; i++) {
      const before = realClock.monotonic()
      const woken = two.wait(5_000)
      one.nudge()
      await woken
      assert.ok(realClock.monotonic() - before < 1_000)
    }
    assert.equal(statSync(file).size, 1)
    one.close()
    two.close()
  }))
