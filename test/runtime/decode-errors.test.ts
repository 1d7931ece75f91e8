// Bytes that cannot be read: their policy applies in their place in the order, and nothing is lost.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, createApp, deadLetter, skip, stop, type Topic } from 'tailrace'
import { type LoggedRecord, startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

const Value = z.object({ n: z.number() })
type In = Topic<string | null, { n: number }>

interface Tried {
  readonly app: App
  readonly source: In
  readonly seen: number[]
}

function reading(onError: typeof skip, deadTopic: string | undefined = 'dead'): Tried {
  const app = createApp({
    id: 'app',
    broker: 'memory:',
    ...(deadTopic !== undefined && { deadLetter: deadTopic })
  })
  const source = app.topic('in', { value: Value, partitions: 1 })
  const seen: number[] = []
  app.each('read', { source, onError }, (event) => void seen.push(event.value.n))
  return { app, source, seen }
}

function put(log: TestLog, source: In, values: readonly (string | null)[]): void {
  for (const [index, value] of values.entries()) {
    log.append(source, { key: `k${index}`, value, headers: { trace: `t${index}` } })
  }
}

function dead(log: TestLog): readonly LoggedRecord<Buffer | null, Buffer | null>[] {
  return log.readBytes('dead')
}

test('a record that two agents cannot read is one dead letter', async () => {
  const log = new TestLog()
  const { app, source } = reading(deadLetter())
  app.each('read-too', { source, onError: deadLetter() }, () => undefined)
  put(log, source, ['{broken'])
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.equal(dead(log).length, 1)
  await worker.stop()
})

test('a dead letter keeps key, bytes, headers and time, and says what happened', async () => {
  const log = new TestLog()
  const { app, source } = reading(deadLetter())
  log.append(source, { key: 'k', value: '{broken', timestamp: 12_345, headers: { trace: 't' } })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  const [letter] = dead(log)
  assert.equal(String(letter?.key), 'k')
  assert.equal(String(letter?.value), '{broken')
  assert.equal(letter?.timestamp, 12_345)
  const { '__tailrace.dlq.error': error, ...headers } = letter?.headers ?? {}
  assert.match(error ?? '', /TAILRACE_SCHEMA_DECODE/)
  assert.deepEqual(headers, {
    trace: 't',
    '__tailrace.dlq.topic': 'in',
    '__tailrace.dlq.partition': '0',
    '__tailrace.dlq.offset': '0',
    '__tailrace.dlq.timestamp': '12345',
    '__tailrace.dlq.agent': 'read',
    '__tailrace.dlq.stage': 'decode',
    '__tailrace.dlq.attempts': '1',
    '__tailrace.dlq.code': 'TAILRACE_SCHEMA_DECODE'
  })
  await worker.stop()
})

const good = (n: number): string => JSON.stringify({ n })
const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`

for (const [name, values, seen] of [
  ['first', ['{', good(1), good(2)], [1, 2]],
  ['last', [good(1), good(2), '{'], [1, 2]],
  ['in the middle', [good(1), '{', good(2)], [1, 2]],
  ['everywhere', ['{', '', '[]'], []],
  ['null', [null, good(1)], [1]],
  ['empty', ['', good(1)], [1]],
  ['200 levels deep and of another form', [deep, good(1)], [1]],
  ['with a dangerous key', ['{"n":1,"__proto__":{"x":1}}', good(2)], [2]],
  ['of another schema', ['{"n":"one"}', good(2)], [2]]
] as const) {
  test(`a bad record ${name} is a dead letter, and the rest goes on`, async () => {
    const log = new TestLog()
    const tried = reading(deadLetter())
    put(log, tried.source, values)
    const worker = await startTestWorker(tried.app, { log })
    assert.ok(await worker.caughtUp())
    assert.deepEqual(tried.seen, seen)
    assert.equal(dead(log).length, values.length - seen.length)
    await worker.stop()
  })
}

test('a bad record that is skipped is counted', async () => {
  const log = new TestLog()
  const { app, seen, source } = reading(skip)
  put(log, source, [good(1), '{', good(2)])
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen, [1, 2])
  assert.equal(worker.status().counters.skipped, 1)
  await worker.stop()
})

test('stop ends the worker at the bad record; the next start meets it again', async () => {
  const log = new TestLog()
  const { app, seen, source } = reading(stop)
  put(log, source, [good(1), '{', good(2)])
  const worker = await startTestWorker(app, { log })
  await log.clock.advance(5_000)
  assert.match(String(worker.ended?.error), /TAILRACE_SCHEMA_DECODE/)
  assert.deepEqual(seen, [1])
  const again = await startTestWorker(reading(stop).app, { log })
  await log.clock.advance(5_000)
  assert.match(String(again.ended?.error), /TAILRACE_SCHEMA_DECODE/)
})

test('a null key is fine without a key schema, and a bad record with one', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', onError: skip })
  const free = app.topic('free', { partitions: 1 })
  const keyed = app.topic('keyed', { key: z.string(), partitions: 1 })
  const keys: unknown[] = []
  app.each('read-free', { source: free }, (event) => void keys.push(event.key))
  app.each('read-keyed', { source: keyed }, (event) => void keys.push(event.key))
  log.append(free, { key: null, value: '1' })
  log.append(keyed, { key: null, value: '1' })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(keys, [null])
  assert.equal(worker.status().counters.skipped, 1)
  await worker.stop()
})

test('an asynchronous schema is awaited in order; its refusals are decode errors', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', onError: skip })
  const slow = z.number().refine(async (n) => {
    await log.clock.turn()
    return n !== 3
  })
  const source = app.topic('in', { value: slow, partitions: 1 })
  const seen: number[] = []
  app.each('read', { source }, (event) => void seen.push(event.value))
  for (let n = 1; n <= 100; n++) log.append(source, { key: 'k', value: String(n) })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(
    seen,
    Array.from({ length: 100 }, (_, index) => index + 1).filter((n) => n !== 3)
  )
  await worker.stop()
})
