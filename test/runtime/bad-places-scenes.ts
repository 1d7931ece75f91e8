// Topics, directories and ports that an app cannot have: the start is refused with a code, what is
// wrong where, and what to do; nothing stays locked, and once it is mended the same app runs. Each
// log tries them.
import assert from 'node:assert/strict'
import fs, { readFile, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { mock } from 'node:test'
import { type App, type ErrorCode, hasCode, type TailraceError } from 'tailrace'
import { z } from 'zod'
import type { AppLog } from './app-log.ts'

const text = { key: z.string() }
const count = { ...text, value: z.number(), initial: () => 0 }

/** An app that counts the records of `in` by key. */
export function counting(log: AppLog, options: Parameters<AppLog['app']>[0] = {}): App {
  const app = log.app(options)
  const counts = app.table('counts', count)
  const source = app.topic(log.name('in'), { ...text, value: z.number() })
  app.each('count', { source, tables: { counts } }, ({ key }, { counts }) => {
    counts.update(key, (one) => one + 1)
  })
  return app
}

export async function refused(log: AppLog, app: App, code: ErrorCode): Promise<TailraceError> {
  const error = await log.endOf(app)
  assert.ok(hasCode(error, code), `expected ${code}, got ${String(error)}`)
  assert.match(error.hint, /^[A-Z`].+[.?]$/)
  return error
}

/** The same app runs once what was in its way is gone. */
export async function runs(log: AppLog, app: App): Promise<void> {
  const worker = await log.start(app)
  assert.equal(worker.status().isReady, true)
  await worker.stop()
}

export const badPlaces: Readonly<Record<string, (log: AppLog) => Promise<void>>> = {
  'topics with other partition counts: all of them are told at once': async (log) => {
    await log.create(log.name('in'), 3)
    await log.create(log.name('more'), 2)
    await log.create(`${log.id}-counts-changelog`, 5)
    const app = counting(log)
    const out = app.topic(log.name('out'), { partitions: 4 })
    await log.create(log.name('out'), 6)
    const merged = app
      .stream(app.topic(log.name('in-2')))
      .merge(app.stream(app.topic(log.name('more'))))
    app.each('both', { source: merged, outputs: { out } }, () => undefined)
    await log.create(log.name('in-2'), 7)
    const error = await refused(log, app, 'TAILRACE_TRANSPORT_PARTITIONS')
    const message = log.plain(error.message)
    assert.ok(message.includes(`app "${log.id}"`))
    assert.match(message, /topic "out": is declared with 4 partitions and has 6/)
    assert.match(message, /topic "more": has 2 partitions; its task needs 7/)
    assert.match(message, /topic "counts-changelog": has 5 partitions and needs 3/)
    assert.match(message, /Declare `partitions: 6`, or make the topic anew/)
    await log.transport
      .admin()
      .delete([`${log.id}-counts-changelog`, log.name('out'), log.name('more')])
    await runs(log, app)
  },

  'a partition that is not there is refused where a record is sent to it': async (log) => {
    await log.create(log.name('in'), 2)
    const app = log.app()
    const source = app.topic(log.name('in'))
    await assert.rejects(source.send({ value: 1, partition: 2 }), (error) => {
      assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'))
      assert.match(
        log.plain(error.message),
        /"in" has partitions 0 to 1, and a record was sent to 2/
      )
      return true
    })
  },

  'a source topic that is deleted under a worker ends it, by name': async (log) => {
    await log.create(log.name('in'))
    const worker = await log.start(counting(log))
    await log.transport.admin().delete([log.name('in')])
    const error = await worker.ended
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'), String(error))
    assert.match(log.plain(error.message), /"in"/)
    assert.match(error.hint, /created when the app starts/)
    // Made anew by itself it would not fit the tables: that is said, and nothing is made of it.
    const unfit = await refused(log, counting(log), 'TAILRACE_TRANSPORT_PARTITIONS')
    assert.match(log.plain(unfit.message), /topic "counts-changelog": has 1 partitions and needs 8/)
    assert.deepEqual(await log.transport.admin().describe([log.name('in')]), [])
    await log.create(log.name('in'))
    const again = await log.start(counting(log))
    await log.put(log.name('in'), [{ key: 'a', value: '1' }])
    await log.settled(again, log.name('in'))
  },

  'a data directory that another worker has is refused when it is named': async (log) => {
    const first = await log.start(counting(log))
    const datadir = log.place('data/worker-0')
    const { hint, message } = await refused(
      log,
      counting(log, { datadir }),
      'TAILRACE_STATE_LOCKED'
    )
    assert.ok(message.includes(datadir))
    assert.match(hint, /--datadir/)
    await first.stop()
    await runs(log, counting(log, { datadir }))
  },

  'a data directory that is a file cannot be written': async (log) => {
    await writeFile(log.place('file'), '')
    const app = counting(log, { datadir: log.place('file') })
    const { message } = await refused(log, app, 'TAILRACE_STATE_UNWRITABLE')
    assert.ok(message.includes(log.place('file')))
  },

  'a data directory on a disk that machines share': async (log) => {
    const nfs = 0x6969
    mock.method(fs, 'statfs', async () => ({ type: nfs }))
    syncBuiltinESMExports()
    try {
      const { message } = await refused(log, counting(log), 'TAILRACE_STATE_NETWORK_DISK')
      assert.ok(message.includes(log.place('data')))
    } finally {
      mock.restoreAll()
      syncBuiltinESMExports()
    }
    await runs(log, counting(log))
  },

  'a data directory of another app, or of a newer version, is refused and kept': async (log) => {
    await runs(log, counting(log, { id: `other-${log.id}` }))
    const instance = join(log.place('data'), 'worker-0', 'instance.json')
    const before = await readFile(instance, 'utf8')
    const foreign = await refused(log, counting(log), 'TAILRACE_STATE_FOREIGN')
    assert.ok(
      foreign.message.includes(`worker-0 belongs to the app "other-${log.id}", not to "${log.id}"`)
    )
    assert.equal(await readFile(instance, 'utf8'), before)
    await writeFile(
      instance,
      before.replace('"format":1', '"format":2').replace(`other-${log.id}`, log.id)
    )
    const newer = await refused(log, counting(log), 'TAILRACE_STATE_FOREIGN')
    assert.match(newer.message, /has format 2; this version reads up to 1/)
    await writeFile(instance, before.replace(`other-${log.id}`, log.id))
  },

  'the tables of another app in a directory of ours are refused and kept': async (log) => {
    await runs(log, counting(log, { id: `other-${log.id}` }))
    const instance = join(log.place('data'), 'worker-0', 'instance.json')
    await writeFile(instance, (await readFile(instance, 'utf8')).replace(`other-${log.id}`, log.id))
    const { message } = await refused(log, counting(log), 'TAILRACE_STATE_FOREIGN')
    assert.ok(
      message.includes(`worker-0/tables belongs to the app "other-${log.id}", not to "${log.id}"`)
    )
  },

  'a web port that is taken names the next free one; the worker has let go of all': async (log) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    assert.ok(typeof address === 'object' && address !== null)
    const web = { port: address.port, host: '127.0.0.1' }
    const app = counting(log, { web })
    const { hint, message } = await refused(log, app, 'TAILRACE_WEB_PORT_TAKEN')
    assert.match(`${message} ${hint}`, new RegExp(`${address.port}.*--web-port \\d+`))
    await new Promise((resolve) => taken.close(resolve))
    await runs(log, app)
  },

  'an address that is not of this machine': async (log) => {
    const app = counting(log, { web: { port: 0, host: '192.0.2.1' } })
    const { message } = await refused(log, app, 'TAILRACE_WEB_ADDRESS')
    assert.match(message, /192\.0\.2\.1/)
  }
}
