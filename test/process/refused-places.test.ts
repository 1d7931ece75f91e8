// Directories and ports that a worker cannot have: each a code, what is wrong, and what to do.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createApp } from 'tailrace'
import { embeddedScene, scene } from './run.ts'

scene('a data directory of another app', async (one) => {
  const app = createApp({
    id: `another${one.log.suffix}`,
    web: false,
    broker: one.broker,
    datadir: one.place('data'),
    logLevel: 'silent'
  })
  const other = await app.start()
  await other.stop()
  const worker = one.worker()
  await worker.ends({ code: 1 })
  assert.match(worker.text, /TAILRACE_STATE_FOREIGN[^]*"?another"?[^]*hint: /)
})

scene('a data directory that cannot be made', async (one) => {
  await writeFile(one.place('data'), 'a file')
  const worker = one.worker()
  await worker.ends({ code: 1 })
  assert.match(worker.text, /TAILRACE_STATE_UNWRITABLE[^]*data[^]*hint: /)
})

embeddedScene('a log that a newer version wrote', async (one) => {
  await mkdir(one.place('newer'))
  const made = one.worker({ env: { TAILRACE_BROKER: `embedded:${one.place('newer')}` } })
  await made.started()
  await made.stop()
  const database = new DatabaseSync(join(one.place('newer'), 'log.db'))
  database.exec('PRAGMA user_version = 1000')
  database.close()
  const worker = one.worker({ env: { TAILRACE_BROKER: `embedded:${one.place('newer')}` } })
  await worker.ends({ code: 1 })
  assert.match(worker.text, /TAILRACE_STATE_FOREIGN[^]*newer[^]*hint: /)
})

embeddedScene('a log directory that is a file', async (one) => {
  await writeFile(one.place('file'), 'a file')
  const worker = one.worker({ env: { TAILRACE_BROKER: `embedded:${one.place('file')}` } })
  await worker.ends({ code: 1 })
  assert.match(worker.text, /TAILRACE_STATE_UNWRITABLE[^]*hint: /)
})

scene('a web port that is taken', async (one) => {
  const server = createServer().listen(0, '127.0.0.1').unref()
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const worker = one.worker({ env: { TAILRACE_WEB_PORT: String(address.port) } })
  await worker.ends({ code: 1 })
  server.close()
  assert.match(worker.text, /TAILRACE_WEB_PORT_TAKEN[^]*port \d+ is free[^]*--web-port \d+/)
})
