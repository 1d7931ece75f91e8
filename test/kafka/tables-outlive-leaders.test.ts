// A broker that restarts begins a new leader epoch. A table on disk whose changelog lost nothing
// goes on from its checkpoint: built anew after each restart of a broker, large tables would be
// away for minutes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownBroker } from './broker.ts'
import { countingApp, KafkaLog } from './kafka-log.ts'

const keys = 300

test('a table goes on from its checkpoint under a new leader', { timeout: 300_000 }, async (t) => {
  await using cluster = await ownBroker()
  const log = await KafkaLog.open(t, cluster.url())
  await log.create(log.name('in'))
  const app = countingApp(log)
  const worker = await log.start(app)
  const records = Array.from({ length: keys }, (_, key) => ({ key: `key-${key}`, value: '1' }))
  await log.put(log.name('in'), records)
  await log.settled(worker, log.name('in'))
  await worker.stop()
  const [changelog] = (await log.transport.admin().describe())
    .map(({ name }) => name)
    .filter((name) => name.includes('changelog'))
  assert.ok(changelog !== undefined)
  const admin = log.transport.admin()
  const at = { topic: changelog, partition: 0 }
  const [before] = await admin.ranges([at])

  await cluster.node(1).stop()
  await cluster.node(1).start()

  const [after] = await admin.ranges([at])
  assert.ok((after?.leaderEpoch ?? 0) > (before?.leaderEpoch ?? 0), 'no new epoch has begun')
  assert.equal(await admin.endOfEpoch?.(at, before?.leaderEpoch ?? -1), before?.end)
  const again = await log.start(app)
  // The markers of the last commit, and nothing more.
  assert.equal(again.status().counters.restoredRecords, 0)
  await again.stop()
})
