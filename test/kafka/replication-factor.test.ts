// Copies of the topics that an app makes for itself: as many as `replicationFactor` says, told
// where one that exists has others, and refused where it has fewer.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, type AppOptions, hasCode } from 'tailrace'
import { z } from 'zod'
import { topics } from '../../src/cli/topics.ts'
import { ownBroker } from './broker.ts'
import { KafkaLog } from './kafka-log.ts'

function appOn(log: KafkaLog, options: Partial<AppOptions>): App {
  const app = log.app({ deadLetter: log.name('dead'), ...options })
  const source = app.topic(log.name('in'), { value: z.string(), partitions: 1 })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  const words = app.stream(source).groupBy('by-word', ({ value }) => value)
  app.each('count', { source: words, tables: { counts } }, ({ key }, { counts }) => {
    counts.update(key, (count) => count + 1)
  })
  return app
}

async function planOf(app: App): Promise<string> {
  const lines: string[] = []
  await topics({ app, isJson: false, print: (text) => lines.push(text) }, { isPlan: true })
  return lines.join('\n')
}

test('internal topics have the copies that were asked for', { timeout: 300_000 }, async (t) => {
  await using cluster = await ownBroker({ nodes: 3 })
  const log = await KafkaLog.open(t, cluster.url())
  const own = ['by-word-repartition', 'counts-changelog', 'dead'].map((title) => log.name(title))

  const other = await KafkaLog.open(t, cluster.url())
  const tooMany = await other.endOf(appOn(other, { replicationFactor: 4 }))
  assert.ok(hasCode(tooMany, 'TAILRACE_TRANSPORT_REFUSED'), String(tooMany))
  assert.match(tooMany.message, /replication factor of 4 cannot be reached/)

  const app = appOn(log, { replicationFactor: 2 })
  const planned = await planOf(app)
  for (const name of own) {
    assert.match(planned, new RegExp(`^${name} +would be created +1 +2 `, 'm'))
  }
  assert.match(
    planned,
    new RegExp(`^${log.name('in')} +would be created +1 +as the broker has it`, 'm')
  )
  const worker = await log.start(app)
  await worker.stop()
  assert.equal(await planOf(app), 'nothing would be created, and nothing differs')
  const made = await log.transport.admin().describe([...own, log.name('in')])
  assert.deepEqual(
    new Map(made.map(({ name, replication }) => [name, replication])),
    // The brokers' default is 3.
    new Map([...own.map((name) => [name, 2] as const), [log.name('in'), 3]])
  )
  // Nobody asks for a number of them: nothing differs.
  assert.equal(await planOf(appOn(log, {})), 'nothing would be created, and nothing differs')

  const more = appOn(log, { replicationFactor: 3 })
  const plan = await planOf(more)
  for (const name of own) {
    assert.match(plan, new RegExp(`^${name} +differs: replication 2, not 3 `, 'm'))
  }
  assert.ok(!plan.includes(log.name('in')), plan)
  const refused = await log.endOf(more)
  assert.ok(hasCode(refused, 'TAILRACE_TRANSPORT_TOPIC_SETTINGS'), String(refused))
  assert.match(refused.message, /has 3 problems/)
  for (const name of own) {
    const text = `topic "${name}": replication is 2; expected at least 3: fewer brokers keep`
    assert.ok(refused.message.includes(text), refused.message)
  }
})
