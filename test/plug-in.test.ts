// A store, a transport and a codec of somebody else's: plugged in by options, nothing of src knows.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp } from 'tailrace'
import { TestLog } from 'tailrace/testing'
import {
  codecConformance,
  storeConformance,
  transportConformance
} from 'tailrace/testing/conformance'
import { createEmbeddedTransport } from 'tailrace/transport/embedded'
import { z } from 'zod'
import { importsOf, readTree } from './house/source.ts'
import { inverted } from './plug-in/inverted-codec.ts'
import { JournalStore } from './plug-in/journal-store.ts'
import { createTenantTransport, TenantTransport } from './plug-in/tenant-transport.ts'

const emptyDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'tailrace-plug-in-'))

codecConformance({
  name: 'a codec from outside',
  codec: inverted,
  values: [0, -1.5, '', 'ä', true, null, [1, [2]], { a: { b: null } }],
  unreadable: [new Uint8Array([1, 2, 3]), new Uint8Array(0)],
  unwritable: [undefined]
})

storeConformance({
  name: 'a store from outside',
  async create() {
    const directory = await emptyDirectory()
    return {
      make: () => new JournalStore(directory),
      dispose: () => rm(directory, { recursive: true })
    }
  }
})

transportConformance({
  name: 'a transport from outside',
  features: { sessionTimeoutMs: 1_000 },
  async create() {
    const log = new TestLog()
    const stop = log.clock.flow()
    return {
      clock: log.clock,
      async connect() {
        const transport = new TenantTransport(log.connect(), { tenant: 'one' })
        await transport.open()
        return transport
      },
      jumpWall: (ms) => log.clock.jumpWall(ms),
      dispose: stop
    }
  }
})

/** Words counted on the tenant's part of a log, in the journal store, in inverted JSON. */
function countingApp(directory: string, tenant: string) {
  const app = createApp({
    id: 'plugged',
    broker: `tenant:${tenant}:${join(directory, 'log')}`,
    datadir: join(directory, tenant),
    store: ({ directory }) => new JournalStore(directory),
    transport: ({ broker }) => createTenantTransport(broker),
    codec: inverted,
    web: false,
    commitInterval: 10
  })
  const words = app.topic('words', { key: z.string(), value: z.string(), partitions: 2 })
  const counts = app.table('counts', { key: z.string(), value: z.int(), initial: () => 0 })
  const totals = app.topic('totals', { key: z.string(), value: z.int(), partitions: 1 })
  const byValue = app.stream(words).groupBy('by-value', ({ value }) => value)
  const uses = { source: byValue, tables: { counts }, outputs: { totals } }
  app.each('count', uses, ({ key }, { counts, totals }) => {
    totals.send({ key, value: counts.update(key, (count) => count + 1) })
  })
  return { app, words, counts, totals }
}

test('all three together run an app, and what they hold is there at the next start', {
  timeout: 60_000
}, async (t) => {
  const directory = await emptyDirectory()
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const tenants = ['red', 'blue'].map((name) => countingApp(directory, name))
  for (const [index, { app, counts, words }] of tenants.entries()) {
    for (const round of [1, 2]) {
      const worker = await app.start()
      await using _stopped = worker
      for (let n = 0; n < 30; n++) await words.send({ key: `k${n}`, value: `word-${n % 3}` })
      const rows = async (): Promise<Map<string, number>> =>
        new Map(await Array.fromAsync(counts.scan()))
      const total = async (): Promise<number> =>
        [...(await rows()).values()].reduce((sum, count) => sum + count, 0)
      while ((await total()) < 30 * round) await sleep(10, undefined, t)
      assert.deepEqual(
        await rows(),
        new Map(['word-0', 'word-1', 'word-2'].map((word) => [word, 10 * round])),
        `tenant ${index}, start ${round}`
      )
      await worker.stop()
      assert.equal(await worker.ended, undefined)
    }
    await app.runner.close()
  }

  // The log itself has the topics of both, each under its tenant.
  const log = createEmbeddedTransport({ directory: join(directory, 'log') })
  await log.open()
  t.after(() => log.close())
  const topics = await log.admin().describe()
  const names = ['words', 'totals', 'plugged-by-value-repartition', 'plugged-counts-changelog']
  assert.deepEqual(
    new Set(topics.map(({ name }) => name)),
    new Set(['red', 'blue'].flatMap((tenant) => names.map((name) => `${tenant}.${name}`)))
  )
  const [{ end } = { end: 0 }] = await log.admin().ranges([{ topic: 'red.totals', partition: 0 }])
  assert.equal(end, 60)
  const journal = readFileSync(join(directory, 'red', 'worker-0', 'tables', 'journal.txt'), 'utf8')
  assert.match(journal, /^"plugged"\n/)
})

test('they import nothing but what the package exports', () => {
  const own = readTree().filter(
    ({ path }) => path.startsWith('test/plug-in/') || path === 'test/plug-in.test.ts'
  )
  assert.equal(own.length, 4)
  const reached = own.flatMap((file) => importsOf(file).flatMap(({ path = '' }) => path))
  assert.deepEqual(
    reached.filter((path) => path.startsWith('src/')),
    []
  )
})
