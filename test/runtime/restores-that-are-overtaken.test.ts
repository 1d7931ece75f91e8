// Logs that change under a restore, or long before it: what it was to read is no longer there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from 'tailrace'
import { startTestWorker, TestDisk, TestLog } from 'tailrace/testing'
import { z } from 'zod'
import { silentLog } from '../../src/runtime/log.ts'
import { newCounters } from '../../src/runtime/monitor.ts'
import { restore } from '../../src/runtime/recovery.ts'

const day = 86_400_000

function countingApp() {
  const app = createApp({ id: 'app', broker: 'memory:' })
  const input = app.topic('in', { key: z.string(), value: z.number(), partitions: 1 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source: input, tables: { counts } }, (event, { counts }) => {
    counts.update(event.key ?? '', (count) => count + event.value)
  })
  return { app, input, counts }
}

async function filled(log: TestLog, disk: TestDisk): Promise<void> {
  const { app, input } = countingApp()
  const worker = await startTestWorker(app, { log, disk })
  for (let i = 0; i < 5; i++) await log.send(input, { key: `k${i}`, value: 1 })
  assert.ok(await worker.caughtUp())
  await worker.stop()
}

test('a log that was cut below the end it had is restored up to where it ends now', async (t) => {
  const log = new TestLog()
  await filled(log, new TestDisk())
  const transport = log.connect()
  await transport.open()
  const admin = transport.admin()
  t.mock.method(transport, 'admin', () => admin)
  const ranges = admin.ranges.bind(admin)
  let isCut = false
  t.mock.method(admin, 'ranges', async (partitions: Parameters<typeof ranges>[0]) => {
    const told = await ranges(partitions)
    const end = isCut ? 0 : 100
    isCut = true
    return told.map((range) => ({ ...range, end: range.end + end }))
  })
  const store = new TestDisk().connect()
  await store.open({ app: 'app' })
  const shard = { table: 'counts', partition: 0 }
  const [topic] = await log.clock.settle(admin.describe(['app-counts-changelog']))
  const job = { shard, changelog: 'app-counts-changelog', topicId: topic?.id ?? '' }
  const parts = {
    transport,
    store,
    clock: log.clock,
    log: silentLog,
    counters: newCounters(),
    signal: new AbortController().signal,
    onProgress: () => undefined
  }
  await log.clock.settle(restore([job], parts))
  const rows = await log.clock.settle(store.scan(shard, { limit: 100 }))
  assert.equal(rows.length, 5)
  await transport.close()
})

test(`a table that nobody changed for days is not built anew for a commit's mark`, async () => {
  const log = new TestLog()
  const disk = new TestDisk()
  await filled(log, disk)
  // As on Kafka, where a commit leaves a mark behind its records.
  const other = createApp({ id: 'other', broker: 'memory:' })
  const changelog = other.topic('app-counts-changelog', { partitions: 1 })
  log.append(changelog, { key: Buffer.from('x'), value: Buffer.from('mark') })
  await log.clock.advance(2 * day)
  const worker = await startTestWorker(countingApp().app, { log, disk })
  assert.equal(worker.status().counters.restoredRecords, 1)
  await worker.stop()
})
