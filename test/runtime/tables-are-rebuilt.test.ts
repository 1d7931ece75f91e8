// A data directory that is gone, damaged, of another log or of before a reboot: the tables come
// back from their changelogs, exactly; and what fits is not read again.
import assert from 'node:assert/strict'
import { open, readdir, rename, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { hasCode, TailraceError } from 'tailrace'
import { counting, feed, rowsAfter, rowsOf } from './counting.ts'
import { type EmbeddedLog, onLog } from './embedded-log.ts'
import { type Watch, watchedStore } from './store-watch.ts'

const keys = 300
const rounds = 3

/** Runs until everything is read; answers how many records were restored. */
async function run(
  log: EmbeddedLog,
  options: Parameters<typeof counting>[1] = {}
): Promise<number> {
  const one = counting(log, options)
  const worker = await log.start(one.app)
  const { restoredRecords } = worker.status().counters
  await log.settled(worker, 'in')
  assert.deepEqual(await rowsOf(one), rowsAfter(keys, rounds))
  assert.equal(worker.status().counters.deadLettered, 0)
  await worker.stop()
  return restoredRecords
}

async function prepared(log: EmbeddedLog): Promise<void> {
  await log.create('in', 4)
  await feed(log, keys, rounds)
  assert.equal(await run(log), 0)
  // Its own disk has everything: nothing is read again.
  assert.equal(await run(log), 0)
}

const tables = 'data/worker-0/tables'

async function files(log: EmbeddedLog, pattern: RegExp): Promise<string[]> {
  const names = (await readdir(log.place(tables))).filter((name) => pattern.test(name))
  assert.ok(names.length > 0, `no file ${pattern}`)
  return names.map((name) => join(log.place(tables), name))
}

onLog('a data directory that is gone', async (log) => {
  await prepared(log)
  await rm(log.place('data'), { recursive: true })
  assert.ok((await run(log)) > 0)
  assert.equal(await run(log), 0)
})

onLog('a store in memory begins with nothing each time', async (log) => {
  await prepared(log)
  assert.ok((await run(log, { store: 'memory' })) > 0)
  assert.ok((await run(log, { store: 'memory' })) > 0)
})

onLog('a store that cannot be opened', async (log) => {
  await prepared(log)
  for (const file of await files(log, /^MANIFEST/)) await truncate(file, 10)
  assert.ok((await run(log)) > 0)
  assert.equal(await run(log), 0)
})

onLog('a store that lacks a file', async (log) => {
  await prepared(log)
  for (const file of await files(log, /\.ldb$/)) await rm(file)
  assert.ok((await run(log)) > 0)
  assert.equal(await run(log), 0)
})

onLog('damage that only reading meets: the worker ends, and the next one rebuilds', async (log) => {
  await prepared(log)
  for (const file of await files(log, /\.ldb$/)) await scramble(file)
  await feed(log, keys)
  const error = await log.endOf(counting(log).app)
  assert.ok(hasCode(error, 'TAILRACE_STATE_CORRUPT'), String(error))
  assert.ok(error.message.includes(log.place(tables)))
  assert.match(error.hint, /rebuilt from the changelogs/)
  const one = counting(log)
  const worker = await log.start(one.app)
  assert.ok(worker.status().counters.restoredRecords > 0)
  await log.settled(worker, 'in')
  // No event was lost to the damage, nor counted twice.
  assert.deepEqual((await one.counts.query('key-7')).value, rounds + 1)
  assert.deepEqual((await one.counts.query('key-0')).value, 0)
})

/** A few rows in the middle of a file: what is read to open it is at its ends. */
async function scramble(path: string): Promise<void> {
  const file = await open(path, 'r+')
  const { size } = await file.stat()
  await file.write(Buffer.alloc(200, 0x5a), 0, undefined, Math.floor(size / 2))
  await file.close()
}

onLog('damage is never the fault of an event: no dead letter, no retry', async (log) => {
  await log.create('in', 4)
  await feed(log, 10)
  let isDamaged = true
  const watch: Watch = {
    onGet: () => {
      if (isDamaged) throw new TailraceError('TAILRACE_STATE_CORRUPT', 'a row cannot be read')
    }
  }
  const store = () => watchedStore(log.place('tables'), watch)
  const error = await log.endOf(counting(log, { store, deadLetter: 'dead' }).app)
  assert.ok(hasCode(error, 'TAILRACE_STATE_CORRUPT'), String(error))
  isDamaged = false
  const one = counting(log, { store, deadLetter: 'dead' })
  const worker = await log.start(one.app)
  await log.settled(worker, 'in')
  assert.deepEqual(await rowsOf(one), rowsAfter(10))
  assert.deepEqual(await log.read('dead'), [])
})

onLog('a store that knows more than the log, which was made anew', async (log) => {
  await prepared(log)
  await rename(log.place('data'), log.place('kept'))
  await log.transport.admin().delete(['in', 'app-counts-changelog', 'app-minutes-changelog'])
  await log.create('in', 4)
  await rename(log.place('kept'), log.place('data'))
  const one = counting(log)
  const worker = await log.start(one.app)
  assert.deepEqual(await rowsOf(one), [])
  await feed(log, 5)
  await log.settled(worker, 'in')
  assert.deepEqual(await rowsOf(one), rowsAfter(5))
})

onLog('after a reboot the tables are rebuilt once', async (log) => {
  await prepared(log)
  const database = new DatabaseSync(join(log.place('log'), 'log.db'))
  database.exec(`UPDATE meta SET value = 'another boot' WHERE key = 'boot'`)
  database.close()
  assert.ok((await run(log)) > 0)
  assert.equal(await run(log), 0)
})
