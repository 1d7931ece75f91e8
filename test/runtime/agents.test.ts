// Agents while they run: loops and handlers, what they yield, send, read and are sent.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, deadLetter, retry, skip, string, type Task } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

const start = Date.UTC(2026, 0, 1)

test('a loop runs once for each partition, in its order, and is told which that is', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 3 })
  const tasks: Task[] = []
  const seen = new Map<number, number[]>()
  app.agent('read', { source: numbers }, async (events, _parts, task) => {
    tasks.push(task)
    const own: number[] = []
    seen.set(task.partition, own)
    for await (const value of events.values()) own.push(value)
  })
  for (let n = 0; n < 30; n++) await log.send(numbers, { value: n, partition: n % 3 })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(new Set(tasks.map(({ partition }) => partition)), new Set([0, 1, 2]))
  for (const [partition, values] of seen) {
    assert.deepEqual(
      values,
      Array.from({ length: 10 }, (_, index) => index * 3 + partition)
    )
  }
  assert.ok(tasks.every(({ signal }) => !signal.aborted))
  await worker.stop()
  assert.ok(
    tasks.every(({ signal }) => signal.aborted),
    'its signal ends what it started'
  )
})

test('a handler is called for each event, awaited before the next', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 1 })
  const steps: string[] = []
  app.each('read', { source: numbers }, async ({ value }, _parts, { partition }) => {
    steps.push(`${value} begins in ${partition}`)
    await log.clock.turn()
    steps.push(`${value} ends`)
  })
  for (const value of [1, 2]) await log.send(numbers, { value })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(steps, ['1 begins in 0', '1 ends', '2 begins in 0', '2 ends'])
  await worker.stop()
})

test('a handler that takes longer than its timeout fails, and its policy decides', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', deadLetter: 'dead' })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 1 })
  const out = app.topic('out', { value: z.number(), partitions: 1 })
  const uses = { source: numbers, outputs: { out }, timeout: '2s', onError: deadLetter() } as const
  app.each('slow', uses, async ({ value }, { out }) => {
    await new Promise<void>((resolve) => {
      log.clock.schedule(value, resolve)
    })
    out.send({ value })
  })
  for (const value of [100, 5_000, 200]) await log.send(numbers, { value })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  await log.clock.advance(10_000)
  assert.deepEqual(
    log.read(out).map(({ value }) => value),
    [100, 200],
    'and what it does when it is too late is refused'
  )
  const [letter] = log.readBytes('dead')
  assert.equal(letter?.headers['__tailrace.dlq.code'], 'TAILRACE_AGENT_TIMEOUT')
  await worker.stop()
})

test('what is yielded or returned goes to every sink: topics, agents, functions', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const words = app.topic('words', { key: z.string(), value: z.string(), partitions: 1 })
  const lengths = app.topic('lengths', { key: z.string(), value: z.number(), partitions: 1 })
  const heard: number[] = []
  const listen = app.agent(
    'listen',
    { source: app.inbox({ value: z.number(), partitions: 1 }) },
    async (events) => {
      for await (const value of events.values()) heard.push(value)
    }
  )
  const calls: string[] = []
  app
    .agent('measure', { source: words }, async function* (events) {
      for await (const { value } of events) {
        yield value.length
        if (value === 'twice') yield -1
      }
    })
    .sink(lengths, listen)
    .sink(async (length, event) => {
      await log.clock.turn()
      calls.push(`${event.key} ${length}`)
    })
  app
    .each('first', { source: words }, ({ value }) => (value === 'skip' ? undefined : 1))
    .sink((one, event) => void calls.push(`${event.key} first ${one}`))
  for (const [key, value] of [
    ['a', 'one'],
    ['b', 'twice'],
    ['c', 'skip']
  ] as const) {
    await log.send(words, { key, value, timestamp: start })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  const expected = [
    ['a', 3],
    ['b', 5],
    ['b', -1],
    ['c', 4]
  ]
  assert.deepEqual(
    log.read(lengths).map(({ key, timestamp, value }) => [key, value, timestamp]),
    expected.map((row) => [...row, start]),
    'under the key and the time of the event'
  )
  assert.deepEqual(heard, [3, 5, -1, 4])
  assert.deepEqual(
    calls.filter((call) => !call.includes('first')),
    ['a 3', 'b 5', 'b -1', 'c 4']
  )
  assert.deepEqual(
    calls.filter((call) => call.includes('first')),
    ['a first 1', 'b first 1'],
    'nothing returned, nothing delivered'
  )
  await worker.stop()
})

test('outputs are part of the effect: a failed try sends nothing', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', onError: retry({ times: 3, backoff: 1 }) })
  const orders = app.topic('orders', { key: z.string(), value: z.number(), partitions: 2 })
  const bills = app.topic('bills', { key: z.string(), value: z.number(), partitions: 4 })
  const print = app.each('print', { source: app.inbox({ value: z.string() }) }, () => {})
  const table = { key: z.string(), value: z.number(), initial: () => 0 }
  const tries = app.table('tries', table)
  const counts = new Map<string, number>()
  app
    .agent(
      'bill',
      { source: orders, outputs: { bills, print }, tables: { tries } },
      async function* (events, { bills, print, tries }) {
        for await (const { key, value } of events) {
          tries.update(key, (count) => count + 1)
          bills.send({ key, value, headers: { made: 'here', raw: new Uint8Array([65]) } })
          print.send({ key, value: `bill for ${key}` })
          yield value
          const count = (counts.get(key) ?? 0) + 1
          counts.set(key, count)
          if (value % 2 === 1 && count < 3) throw new Error('the printer is out of paper')
        }
      }
    )
    .sink(app.topic('yields', { key: z.string(), value: z.number(), partitions: 1 }))
  for (let n = 0; n < 6; n++) {
    await log.send(orders, { key: `k${n}`, value: n, timestamp: start + n })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(
    [0, 1, 2].map((n) => counts.get(`k${n}`)),
    [1, 3, 1]
  )
  const billed = log.read(bills)
  assert.deepEqual(billed.map(({ key }) => key).toSorted(), ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'])
  const one = billed.find(({ key }) => key === 'k3')
  assert.deepEqual(one?.headers, { made: 'here', raw: 'A' })
  assert.equal(one?.timestamp, start + 3, 'the event’s own time')
  assert.equal(log.readBytes('app-print').length, 6)
  assert.equal(log.readBytes('yields').length, 6)
  const rows = await log.clock.settle(Array.fromAsync(tries.scan()))
  assert.ok(rows.every(([, count]) => count === 1))
  await worker.stop()
})

test('an output that does not fit its schema is the failure of its event', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 1 })
  const small = app.topic('small', { value: z.number().max(10), partitions: 1 })
  const codes: unknown[] = []
  const onError = ({ error }: { readonly error: unknown }): typeof skip => {
    codes.push(error instanceof Error && 'code' in error ? error.code : error)
    return skip
  }
  app.each('pass', { source: numbers, outputs: { small }, onError }, ({ value }, { small }) => {
    small.send({ value })
  })
  for (const value of [1, 100, 2]) await log.send(numbers, { value })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(
    log.read(small).map(({ value }) => value),
    [1, 2]
  )
  assert.deepEqual(codes, ['TAILRACE_SCHEMA_INVALID'])
  await worker.stop()
})

test('an output outside an event is refused', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', onError: skip })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 1 })
  const out = app.topic('out', { value: z.number(), partitions: 1 })
  app.agent('early', { source: numbers, outputs: { out } }, async (events, { out }) => {
    out.send({ value: 0 })
    for await (const value of events.values()) out.send({ value })
  })
  await log.send(numbers, { value: 1 })
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.equal(log.readBytes('out').length, 0)
  assert.equal(worker.status().counters.skipped, 1)
  await worker.stop()
})

test('a table under reads is as it was before the record', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const orders = app.topic('orders', { key: z.string(), value: z.number(), partitions: 2 })
  const sums = app.table('sums', { key: z.string(), value: z.number() })
  const seen: [key: string, sum: number | undefined, rows: number][] = []
  const refused: unknown[] = []
  const write = { source: orders, tables: { sums } }
  const read = { source: orders, reads: { before: sums } }
  app.each('sum', write, ({ key, value }, { sums }) => {
    sums.set(key, (sums.get(key) ?? 0) + value)
  })
  app.each('look', read, async ({ key }, { before }) => {
    assert.equal(before.has(key), before.get(key) !== undefined)
    const rows = await Array.fromAsync(before.entries())
    seen.push([key, before.get(key), rows.length])
    try {
      // Not in its type; a program in JavaScript may try.
      const set: (key: string, value: number) => void = Reflect.get(before, 'set')
      set.call(before, key, 0)
    } catch (error) {
      refused.push(error instanceof Error && 'code' in error ? error.code : error)
    }
  })
  for (const [key, value] of [
    ['a', 1],
    ['a', 10],
    ['a', 100]
  ] as const) {
    await log.send(orders, { key, value })
  }
  const worker = await startTestWorker(app, { log })
  assert.ok(await worker.caughtUp())
  assert.deepEqual(seen, [
    ['a', undefined, 0],
    ['a', 1, 1],
    ['a', 11, 1]
  ])
  assert.deepEqual(new Set(refused), new Set(['TAILRACE_AGENT_READ_ONLY']))
  await worker.stop()
})

test('an inbox is the agent’s own topic: eight partitions, null keys spread', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'greeter', broker: 'memory:' })
  const heard: [key: string | null, value: string, partition: number][] = []
  const say = app.agent(
    'say',
    { source: app.inbox({ value: z.string(), codec: string }) },
    async (events) => {
      for await (const { key, partition, value } of events) heard.push([key, value, partition])
    }
  )
  const worker = await startTestWorker(app, { log })
  const sent = []
  for (let n = 0; n < 8; n++) sent.push(await log.clock.settle(say.send({ value: `hello ${n}` })))
  await log.clock.settle(say.send({ key: 'me', value: 'by key' }))
  assert.ok(sent.every(({ topic }) => topic === 'greeter-say'))
  assert.ok(await worker.caughtUp())
  assert.equal(new Set(heard.filter(([key]) => key === null).map(([, , at]) => at)).size, 8)
  assert.deepEqual(heard.map(([, value]) => value).toSorted(), [
    'by key',
    ...Array.from({ length: 8 }, (_, n) => `hello ${n}`)
  ])
  assert.equal(String(log.readBytes('greeter-say')[0]?.value).slice(0, 5), 'hello')
  await worker.stop()
})

test('a loop that returns is a failure of its event; stop() ends it on purpose', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const early = app.topic('early', { value: z.number(), partitions: 1 })
  const done = app.topic('done', { value: z.number(), partitions: 1 })
  const [codes, first, second]: [unknown[], number[], number[]] = [[], [], []]
  const onError = ({ error }: { readonly error: unknown }): typeof skip => {
    codes.push(error instanceof Error && 'code' in error ? error.code : error)
    return skip
  }
  app.agent('breaks', { source: early, onError }, async (events) => {
    for await (const value of events.values()) {
      first.push(value)
      if (value === 2) break
    }
  })
  app.agent('stops', { source: done }, async (events) => {
    for await (const value of events.values()) {
      second.push(value)
      if (value === 2) events.stop()
    }
  })
  for (const value of [1, 2, 3]) {
    await log.send(early, { value })
    await log.send(done, { value })
  }
  const worker = await startTestWorker(app, { log })
  await log.clock.advance(5_000)
  assert.deepEqual(first, [1, 2, 3], 'called afresh for the next event')
  assert.deepEqual(codes, ['TAILRACE_AGENT_ENDED'])
  assert.deepEqual(second, [1, 2], 'it reads no further')
  assert.equal(worker.ended, undefined)
  assert.ok(log.isCommitted('app', ['early']))
  const [at] = log.broker.committed('app', [{ topic: 'done', partition: 0 }])
  assert.equal(at?.offset, 2, 'what it finished is committed, what is left is there')
  await worker.stop()
})
