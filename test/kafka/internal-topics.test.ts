// The app's own topics: how they are made, and what becomes of one that is there already and is not
// as it must be: refused where it would lose something, warned of where it only differs.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, type AppOptions, hasCode, tumbling } from 'tailrace'
import { z } from 'zod'
import type { CleanupPolicy, TopicDescription, TopicSettings } from '../../src/port/transport.ts'
import { planTopics } from '../../src/runtime/topic-plan.ts'
import { KafkaLog } from './kafka-log.ts'
import { testsOnKafka } from './on-kafka.ts'

const day = 86_400_000
const unlimited = '9223372036854775807'
const anyTime = {
  'message.timestamp.before.max.ms': unlimited,
  'message.timestamp.after.max.ms': unlimited
}
const onKafka = testsOnKafka(180_000)

/** A plain table, a windowed one, and a stream by another key; one partition each. */
function internalApp(log: KafkaLog, options: Partial<AppOptions> = {}): App {
  const app = log.app({ deadLetter: log.name('dead'), ...options })
  const text = { key: z.string(), value: z.number(), initial: () => 0 }
  const counts = app.table('counts', text)
  const window = tumbling('1m', { retention: '2d' })
  const minutes = app.table('minutes', { ...text, window })
  const source = app.topic(log.name('in'), { value: z.string(), partitions: 1 })
  const words = app.stream(source).groupBy('by-word', ({ value }) => value)
  app.each('count', { source: words, tables: { counts, minutes } }, (event, parts) => {
    parts.counts.update(event.key, (count) => count + 1)
    parts.minutes.at(event).update(event.key, (count) => count + 1)
  })
  return app
}

async function make(
  log: KafkaLog,
  title: string,
  settings: Partial<TopicSettings> & { readonly cleanupPolicy: CleanupPolicy }
): Promise<void> {
  const all = { retentionMs: -1, timestampType: 'append', extra: {}, ...settings } as const
  const spec = { name: log.name(title), partitions: 1, replication: 1, settings: all }
  await log.transport.admin().create([spec])
}

async function described(log: KafkaLog, title: string): Promise<TopicDescription> {
  const [found] = await log.transport.admin().describe([log.name(title)])
  return found ?? assert.fail(`${title} is not there`)
}

onKafka('they are made as they must be, and nothing differs afterwards', async (log) => {
  const app = internalApp(log)
  await log.start(app)
  const settingsOf = async (title: string): Promise<TopicSettings> =>
    (await described(log, title)).settings
  assert.deepEqual(await settingsOf('counts-changelog'), {
    cleanupPolicy: 'compact',
    retentionMs: -1,
    timestampType: 'append',
    extra: { 'delete.retention.ms': `${day}` }
  })
  assert.deepEqual(await settingsOf('minutes-changelog'), {
    cleanupPolicy: 'compact,delete',
    retentionMs: 3 * day,
    timestampType: 'append',
    extra: { 'delete.retention.ms': `${day}` }
  })
  for (const title of ['by-word-repartition', 'dead']) {
    const expected = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' }
    assert.deepEqual(await settingsOf(title), { ...expected, extra: anyTime })
  }
  const { problems, specs } = await planTopics(app.runner.topology(), log.transport)
  assert.deepEqual(problems, [])
  assert.equal(specs.length, 5)
})

onKafka(
  'events of any time pass a repartition topic, and what was read is deleted',
  async (log) => {
    const extra = anyTime
    await make(log, 'in', { cleanupPolicy: 'delete', timestampType: 'create', extra })
    const worker = await log.start(internalApp(log))
    const times = [Date.now() - 1_000 * day, Date.now() + 10 * day]
    const records = times.map((timestamp) => ({ value: '"word"', timestamp }))
    await log.put(log.name('in'), records)
    await log.settled(worker, log.name('in'), log.name('by-word-repartition'))
    assert.equal(worker.status().counters.finished, 4)
    const at = { topic: log.name('by-word-repartition'), partition: 0 }
    // It is done every 30 s.
    const end = performance.now() + 100_000
    for (;;) {
      const [range] = await log.transport.admin().ranges([at])
      if (range !== undefined && range.start > 0 && range.start === range.end) break
      assert.ok(performance.now() < end, 'it was not deleted')
      await sleep(200)
    }
  }
)

interface Row {
  readonly title: string
  readonly settings: Parameters<typeof make>[2]
  readonly says: RegExp
}

const losing: Readonly<Record<string, Row>> = {
  'a changelog that is deleted after a week': {
    title: 'counts-changelog',
    settings: { cleanupPolicy: 'delete', retentionMs: 7 * day },
    says: /cleanup\.policy is 604800000 \(7d\) with delete; expected compact: rows .* deleted/
  },
  'a windowed changelog that is kept too short': {
    title: 'minutes-changelog',
    settings: { cleanupPolicy: 'compact,delete', retentionMs: day },
    says: /is 86400000 \(1d\) with compact,delete; expected at least 259200000/
  },
  'a windowed changelog by the time of events': {
    title: 'minutes-changelog',
    settings: { cleanupPolicy: 'compact,delete', retentionMs: 3 * day, timestampType: 'create' },
    says: /message\.timestamp\.type is CreateTime; expected LogAppendTime: rows of old events/
  },
  'a repartition topic that is compacted': {
    title: 'by-word-repartition',
    settings: { cleanupPolicy: 'compact', timestampType: 'create' },
    says: /cleanup\.policy is compact; expected delete: of the events of a key all but the last/
  },
  'a topic that cannot be written': {
    title: 'counts-changelog',
    settings: { cleanupPolicy: 'compact', extra: { 'min.insync.replicas': '2' } },
    says: /min\.insync\.replicas is 2; expected at most its replication, which is 1: nothing can/
  }
}

for (const [name, { says, settings, title }] of Object.entries(losing)) {
  onKafka(`refused: ${name}`, async (log) => {
    await make(log, title, settings)
    const error = await log.endOf(internalApp(log))
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_TOPIC_SETTINGS'), String(error))
    assert.ok(error.message.includes(`topic "${log.name(title)}": `), error.message)
    assert.match(error.message, says)
    assert.match(error.hint, /Change each listed setting/)
  })
}

onKafka('refused: all that would lose something, at once', async (log) => {
  await make(log, 'counts-changelog', { cleanupPolicy: 'delete', retentionMs: 7 * day })
  await make(log, 'by-word-repartition', { cleanupPolicy: 'compact' })
  const error = await log.endOf(internalApp(log))
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_TOPIC_SETTINGS'), String(error))
  assert.match(error.message, /has 2 problems/)
})

onKafka('refused: fewer copies than the app asks for', async (log) => {
  await make(log, 'in', { cleanupPolicy: 'delete' })
  const app = log.app()
  const source = app.topic(log.name('in'), { partitions: 1, replication: 3 })
  app.each('read', { source }, () => undefined)
  const error = await log.endOf(app)
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_TOPIC_SETTINGS'), String(error))
  assert.match(error.message, /replication is 1; expected at least 3: fewer brokers keep/)
})

onKafka('warned of: what only differs, and the worker runs', async (log) => {
  await make(log, 'counts-changelog', { cleanupPolicy: 'delete' })
  await make(log, 'by-word-repartition', { cleanupPolicy: 'delete', retentionMs: 30 * day })
  const app = internalApp(log)
  const worker = await log.start(app)
  assert.equal(worker.status().isReady, true)
  const { existing, specs } = await planTopics(app.runner.topology(), log.transport)
  assert.equal(existing.size, specs.length)
})
