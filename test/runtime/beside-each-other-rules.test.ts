// What an agent of several events at once may do, what else its task does with the same records,
// and how much of a partition it takes in hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, type Codec, createApp, hasCode, json, skip, tumbling } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'
import { Hands, sendJobs, sentOn } from './beside-each-other.ts'

const text = z.string()
const newApp = (): App => createApp({ id: 'app', broker: 'memory:' })

test('another key than the event’s, or all of them, are refused by name', async () => {
  const app = newApp()
  const source = app.topic('in', { key: text, value: text, partitions: 1 })
  const rows = app.table('rows', { key: text, value: z.number(), initial: () => 0 })
  const panes = app.table('panes', {
    key: text,
    value: z.number(),
    initial: () => 0,
    window: tumbling('1m')
  })
  const errors: string[] = []
  const onError = ({ error }: { readonly error: unknown }): typeof skip => {
    assert.ok(hasCode(error, 'TAILRACE_AGENT_OTHER_KEY'), String(error))
    errors.push(error.message)
    return skip
  }
  const uses = { source, tables: { rows, panes }, concurrency: 2, onError }
  app.each('work', uses, (event, { panes, rows }) => {
    switch (event.value) {
      case 'get':
        return void rows.get('other')
      case 'has':
        return void rows.has('other')
      case 'set':
        return rows.set('other', 1)
      case 'update':
        return void rows.update('other', (count) => count + 1)
      case 'delete':
        return void rows.delete('other')
      case 'entries':
        return void rows.entries()
      case 'pane':
        return void panes.at(event).update('other', (count) => count + 1)
      case 'panes':
        return void panes.entries()
      default:
        rows.update(event.key, (count) => count + 1)
        return void panes.at(event).update(event.key, (count) => count + 1)
    }
  })
  const log = new TestLog()
  const worker = await startTestWorker(app, { log })
  const bad = ['get', 'has', 'set', 'update', 'delete', 'entries', 'pane', 'panes']
  for (const value of [...bad, 'own']) await log.send(source, { key: 'own', value })
  assert.ok(await worker.caughtUp())
  assert.equal(errors.length, bad.length)
  assert.match(errors[0] ?? '', /agent "work" used key "other" of table "rows" while .* key "own"/)
  assert.match(errors[7] ?? '', /used all keys of table "panes"/)
  assert.equal((await rows.query('own')).value, 1)
  assert.equal((await rows.query('other')).value, 0)
  await worker.stop()
})

test('keys that are no text: a number is one key, whatever its bytes', async () => {
  const app = newApp()
  const { json } = await import('tailrace')
  const Place = z.object({ x: z.number() })
  const numbers = app.topic('n', { key: z.number(), keyCodec: json, value: text, partitions: 1 })
  const places = app.topic('p', { key: Place, keyCodec: json, value: text, partitions: 1 })
  const counts = app.table('c', {
    key: z.number(),
    keyCodec: json,
    value: z.number(),
    initial: () => 0,
    scope: 'partition'
  })
  const visits = app.table('v', {
    key: Place,
    keyCodec: json,
    value: z.number(),
    initial: () => 0,
    scope: 'partition'
  })
  const log = new TestLog()
  const most = { n: 0, p: 0 }
  const running = { n: 0, p: 0 }
  const linger = async (name: 'n' | 'p'): Promise<void> => {
    most[name] = Math.max(most[name], ++running[name])
    await new Promise<void>((resolve) => log.clock.schedule(10, resolve))
    running[name]--
  }
  app.each('n', { source: numbers, tables: { counts }, concurrency: 4 }, async (event, parts) => {
    const before = parts.counts.get(event.key)
    await linger('n')
    parts.counts.set(event.key, before + 1)
  })
  app.each('p', { source: places, tables: { visits }, concurrency: 4 }, async (event, parts) => {
    const before = parts.visits.get(event.key)
    await linger('p')
    parts.visits.set({ x: event.key.x }, before + 1)
  })
  const worker = await startTestWorker(app, { log })
  for (const key of ['1', '1.0', '1e0']) log.append(numbers, { key, value: '"a"' })
  for (const key of ['{"x":1}', '{ "x": 1 }']) log.append(places, { key, value: '"a"' })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(most, { n: 1, p: 1 })
  const [[, count] = []] = await Array.fromAsync(counts.scan())
  const [[, visited] = []] = await Array.fromAsync(visits.scan())
  assert.deepEqual([count, visited], [3, 2])
  await worker.stop()
})

test('what cannot be kept is refused before a start, all at once', () => {
  const app = newApp()
  const source = app.topic('in', { key: text, value: text })
  const rows = app.table('rows', { key: text, value: text })
  const seen = app.table('seen', { key: text, value: text })
  app.each('any', { source, tables: { rows }, order: 'none', concurrency: 4 }, () => undefined)
  app.each('look', { source, reads: { rows }, concurrency: 2 }, () => undefined)
  app.each('fine', { source, tables: { seen }, concurrency: 2 }, () => undefined)
  assert.throws(
    () => app.runner.topology(),
    (error) => {
      assert.ok(hasCode(error, 'TAILRACE_TOPOLOGY_INVALID'), String(error))
      assert.match(error.message, /agent "any": writes tables with `order: 'none'`/)
      assert.match(error.message, /agent "look": has `reads` with `concurrency: 2`/)
      assert.doesNotMatch(error.message, /"fine"/)
      return true
    }
  )
  assert.throws(
    () => newApp().each('now', { source, timeout: 0 }, () => undefined),
    /"timeout" of agent "now" must be at least 1 ms/
  )
})

test('a table whose keys are written in another way than those of a source is refused', () => {
  const place = z.object({ x: z.number(), y: z.number() })
  const other: Codec = { ...json, name: 'other' }
  const app = newApp()
  const one = app.topic('one', { key: place, keyCodec: json, value: text })
  const two = app.topic('two', { key: place, keyCodec: other, value: text })
  const key = { key: place, keyCodec: json, value: text }
  const [rows, seen, kept] = [
    app.table('rows', key),
    app.table('seen', key),
    app.table('kept', key)
  ]
  const source = app.stream(one).merge(two)
  app.each('mixed', { source, tables: { rows }, concurrency: 2 }, () => undefined)
  app.each('serial', { source, tables: { seen } }, () => undefined)
  app.each('fine', { source: one, tables: { kept }, concurrency: 2 }, () => undefined)
  assert.throws(
    () => app.runner.topology(),
    (error) => {
      assert.ok(hasCode(error, 'TAILRACE_TOPOLOGY_INVALID'), String(error))
      assert.match(
        error.message,
        /agent "mixed": .* table "rows" .* "json" but .* "two" by "other"/
      )
      assert.doesNotMatch(error.message, /"fine"|"serial"|"one"/)
      return true
    }
  )
})

test('agents of one event at a time share the records; what they read is exact', async () => {
  const app = newApp()
  const source = app.topic('in', { key: text, value: z.number(), partitions: 1 })
  const order: string[] = []
  const rows = app.table('rows', { key: text, value: z.number(), initial: () => 0 })
  const log = new TestLog()
  const takes = (ms: number): Promise<void> =>
    new Promise((resolve) => log.clock.schedule(ms, resolve))
  app.agent('loop', { source }, async (events) => {
    for await (const { value } of events) {
      await takes(value % 3)
      order.push(`loop ${value}`)
    }
  })
  app.each('work', { source, tables: { rows }, concurrency: 4 }, async ({ key, value }, parts) => {
    const before = parts.rows.get(key)
    await takes(20 - value)
    order.push(`work ${value}`)
    parts.rows.set(key, before + 1)
  })
  const seen: number[] = []
  app.each('look', { source, reads: { rows } }, ({ key, value }, { rows }) => {
    order.push(`look ${value}`)
    seen.push(rows.get(key))
  })
  const grouped = app.stream(source).groupBy('other', ({ value }) => `g${value % 2}`)
  const values: number[] = []
  app.each('grouped', { source: grouped }, ({ value }) => void values.push(value))
  const worker = await startTestWorker(app, { log })
  const count = 12
  for (let value = 0; value < count; value++) {
    await log.send(source, { key: `k${value % 3}`, value })
  }
  assert.ok(await worker.caughtUp())
  const all = Array.from({ length: count }, (_, value) => value)
  const of = (name: string): number[] =>
    order.flatMap((one) => (one.startsWith(name) ? [Number(one.slice(5))] : []))
  assert.deepEqual(of('loop'), all)
  assert.deepEqual(of('look'), all)
  assert.notDeepEqual(of('work'), all, 'they overtake each other')
  assert.deepEqual(seen, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], 'as it was before each event')
  assert.deepEqual(
    values.sort((a, b) => a - b),
    all
  )
  await worker.stop()
})

test('a loop that stops on purpose: what is before finishes, the rest stays unread', async () => {
  const app = newApp()
  const source = app.topic('in', { key: text, value: z.number(), partitions: 1 })
  const rows = app.table('rows', { key: text, value: z.number() })
  app.agent('loop', { source }, async (events) => {
    for await (const { value } of events) if (value === 2) events.stop()
  })
  const log = new TestLog()
  app.each('work', { source, tables: { rows }, concurrency: 8 }, async ({ key, value }, parts) => {
    await new Promise<void>((resolve) => log.clock.schedule(100, resolve))
    parts.rows.set(key, value)
  })
  const worker = await startTestWorker(app, { log })
  for (let value = 0; value < 6; value++) await log.send(source, { key: `k${value}`, value })
  await log.clock.advance(2_000)
  const [task] = worker.status().tasks
  assert.deepEqual([task?.state, task?.positions, task?.openEvents], ['stopped', { in: 3 }, []])
  assert.equal(log.broker.committed('app', [{ topic: 'in', partition: 0 }])[0]?.offset, 3)
  await worker.stop()
})

test('a schema that answers with a promise: events are checked ahead, in their order', async () => {
  const app = newApp()
  const log = new TestLog()
  const slow = z.number().refine(async (value) => {
    await new Promise<void>((resolve) => log.clock.schedule(30 - value, resolve))
    return value !== 3
  })
  const source = app.topic('in', { key: text, value: slow, partitions: 1 })
  const began: number[] = []
  app.each('work', { source, concurrency: 3, onError: skip }, async ({ value }) => {
    began.push(value)
    await new Promise<void>((resolve) => log.clock.schedule(5, resolve))
  })
  const worker = await startTestWorker(app, { log })
  for (let value = 0; value < 8; value++) log.append(source, { key: 'a', value: `${value}` })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(began, [0, 1, 2, 4, 5, 6, 7])
  assert.equal(worker.status().counters.skipped, 1)
  await worker.stop()
})

test('behind a slow event only so many are opened: by number, and by what waits', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 2, isHeld: (id) => id === 0 })
  const worker = await hands.start(log)
  await sendJobs(
    log,
    hands,
    Array.from({ length: 300 }, (_, id) => `key-${id}`)
  )
  await log.clock.advance(1_000)
  assert.equal(hands.ended.length, 127)
  hands.letGo(0)
  assert.ok(await worker.caughtUp())
  assert.equal(sentOn(log, hands).length, 300)
  await worker.stop()

  const app = newApp()
  const source = app.topic('in', { key: text, value: z.number(), partitions: 1 })
  const out = app.topic('out', { key: text, value: text })
  let ended = 0
  let open = (): void => undefined
  app.each(
    'work',
    { source, outputs: { out }, concurrency: 8 },
    async ({ key, value }, { out }) => {
      if (value === 0) await new Promise<void>((resolve) => (open = resolve))
      out.send({ key, value: 'x'.repeat(500_000) })
      ended++
    }
  )
  const large = new TestLog()
  const second = await startTestWorker(app, { log: large })
  for (let value = 0; value < 40; value++) await large.send(source, { key: `k${value}`, value })
  await large.clock.advance(1_000)
  assert.ok(ended >= 8 && ended <= 16, `${ended} are done, of 0.5 MB each; the limit is 4 MiB`)
  open()
  assert.ok(await second.caughtUp())
  assert.equal(large.readBytes('out').length, 40)
  await second.stop()
})
