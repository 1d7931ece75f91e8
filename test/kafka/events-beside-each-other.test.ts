// `each` with a concurrency on a real broker: what the group has as committed is the lowest event
// that is not done, the bytes of events at work stay theirs while more is fetched, and a worker
// that is ended cold leaves the rest to the next.
import assert from 'node:assert/strict'
import type { App, Worker } from 'tailrace'
import { z } from 'zod'
import type { OutgoingRecord } from '../../src/port/transport.ts'
import { type LoggedBytes, textOf, until } from '../runtime/app-log.ts'
import type { KafkaLog } from './kafka-log.ts'
import { testsOnKafka } from './on-kafka.ts'

const onKafka = testsOnKafka(120_000)
const keys = 40
const events = 4_000
/** Large enough that answers are received into memory that is used again. */
const padding = 'x'.repeat(1_000)
const slow = 10

interface Parts {
  readonly app: App
  readonly held: PromiseWithResolvers<void>
  readonly ended: number[]
}

function padded(log: KafkaLog, isHeld: boolean, options: { readonly datadir: string }): Parts {
  const app = log.app({ ...options, queueBytesMax: 262_144, fetchBytesMax: 262_144 })
  const key = z.string()
  const value = z.object({ id: z.number(), padding: z.string() })
  const source = app.topic(log.name('in'), { key, value })
  const out = app.topic(log.name('out'), { key, value: z.string() })
  const counts = app.table('counts', { key, value: z.number(), initial: () => 0 })
  const held = Promise.withResolvers<void>()
  const ended: number[] = []
  const uses = { source, outputs: { out }, tables: { counts }, concurrency: 8 }
  app.each('work', uses, async ({ key, value: { id, padding } }, { counts, out }) => {
    const before = counts.get(key)
    await new Promise((resolve) => setImmediate(resolve))
    if (id === slow && isHeld) await held.promise
    counts.set(key, before + 1)
    out.send({ key, value: `${id} ${key} ${before + 1} ${padding.length}` })
    ended.push(id)
  })
  return { app, held, ended }
}

async function committed(log: KafkaLog): Promise<number> {
  const at = { topic: log.name('in'), partition: 0 }
  const [found] = await log.transport.admin().committed(log.id, [at])
  return found?.offset ?? 0
}

/** The same handler, one event after the other. */
function expectedOutputs(): readonly string[] {
  return Array.from({ length: events }, (_, id) => {
    return `${id} key-${id % keys} ${Math.floor(id / keys) + 1} ${padding.length}`
  })
}

async function finish(log: KafkaLog, worker: Worker): Promise<void> {
  await log.settled(worker, log.name('in'))
  const out = await log.read(log.name('out'))
  const ids = (records: readonly LoggedBytes[]): (string | null)[] =>
    records.map(({ value }) => (textOf(value) ?? '').replaceAll('"', ''))
  // By partition, in the order of the input.
  const number = (text: string | null): number => Number(text?.split(' ')[0])
  for (let partition = 0; partition < 8; partition++) {
    const own = ids(out.filter((record) => record.partition === partition)).map(number)
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b)
    )
  }
  assert.deepEqual(
    ids(out).toSorted((a, b) => number(a) - number(b)),
    expectedOutputs()
  )
}

/** The input topic, with every event in it. */
async function filled(log: KafkaLog, textOf: (id: number) => string): Promise<string> {
  const topic = log.name('in')
  await log.create(topic)
  const producer = await log.transport.producer()
  const recordOf = (id: number): OutgoingRecord => ({
    topic,
    partition: 0,
    key: Buffer.from(`key-${id % keys}`),
    value: Buffer.from(textOf(id)),
    timestamp: Date.now(),
    headers: []
  })
  await Promise.all(Array.from({ length: events }, (_, id) => producer.send(recordOf(id))))
  await producer.close()
  return topic
}

onKafka(
  'a slow event holds the committed offset; a cold stop leaves nothing of the rest',
  async (log) => {
    const topic = await filled(log, (id) => JSON.stringify({ id, padding }))
    const first = padded(log, true, { datadir: log.place('data') })
    const worker = await log.start(first.app)
    await until(() => first.ended.length > 400, 'many events behind the slow one are done')
    await until(async () => (await committed(log)) === slow, 'the offset is that of the slow one')
    assert.equal(worker.status().tasks[0]?.positions[topic], slow)
    await worker.stop({ isCold: true })
    assert.equal(await committed(log), slow)
    first.held.resolve()
    const second = padded(log, false, { datadir: log.place('data') })
    await finish(log, await log.start(second.app))
  }
)

onKafka(
  'bytes stay those of their event while the memory of answers is used again',
  async (log) => {
    const bad = new Set([3, 1_500, 3_999])
    const topic = await filled(log, (id) => {
      return bad.has(id) ? `broken ${id}` : JSON.stringify({ id, padding })
    })
    const key = z.string()
    const app = log.app({
      queueBytesMax: 262_144,
      fetchBytesMax: 262_144,
      deadLetter: log.name('dead')
    })
    const value = z.object({ id: z.number(), padding: z.string() })
    const source = app.topic(topic, { key, value })
    const counts = app.table('counts', { key, value: z.number(), initial: () => 0 })
    let failures = 0
    app.each(
      'work',
      { source, tables: { counts }, concurrency: 8 },
      async ({ key, value }, parts) => {
        await new Promise((resolve) => setTimeout(resolve, value.id % 3))
        // Its first try fails when others have gone by: the record is read again for its letter.
        if (value.id === 7 && failures++ < 10) throw new Error('never')
        parts.counts.update(key, (count) => count + 1)
      }
    )
    const worker = await log.start(app)
    await log.settled(worker, topic)
    const dead = await log.read(log.name('dead'))
    const texts = dead.map(({ value }) => textOf(value) ?? '').toSorted()
    const seventh = JSON.stringify({ id: 7, padding })
    assert.deepEqual(texts, [...[...bad].map((id) => `broken ${id}`), seventh].toSorted())
    const rows = await Array.fromAsync(counts.scan({ limit: 100 }))
    assert.equal(
      rows.reduce((sum, [, count]) => sum + count, 0),
      events - bad.size - 1
    )
    await worker.stop()
  }
)
