// `send`: which topic is meant, what a text of the shell becomes, and what is refused.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { json } from '../core/codec.ts'
import { type ErrorCode, hasCode, type TailraceError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { createApp } from '../host/app.ts'
import { send, type SendArguments } from './send.ts'

function scene(t: TestContext) {
  const app = createApp({ id: 'shop', broker: 'memory:shop-of-send', logLevel: 'silent' })
  const order = z.object({ amount: z.number() })
  const orders = app.topic('orders', { key: z.string(), value: order, partitions: 3 })
  const texts = app.topic('texts', { value: z.string(), partitions: 1 })
  const numbers = app.topic('numbers', { key: z.number(), keyCodec: json, partitions: 1 })
  const seen: Event[] = []
  for (const source of [orders, texts, numbers]) {
    app.each(`read-${source.name}`, { source: app.stream(source as typeof texts) }, (event) => {
      seen.push(event)
    })
  }
  app.each('say', { source: app.inbox({ partitions: 1 }) }, (event) => void seen.push(event))
  const derived = app.stream(orders).groupBy('by-amount', ({ value }) => String(value.amount))
  app.each('count', { source: derived }, () => {})
  t.after(() => app.runner.close())
  const none = { key: undefined, partition: undefined, timestamp: undefined }
  const run = async (given: Partial<SendArguments>, isJson = false): Promise<string> => {
    const lines: string[] = []
    const context = { app, isJson, print: (text: string) => void lines.push(text) }
    await send(context, { topic: '', value: '', ...none, ...given })
    return lines.join('\n')
  }
  /** What a worker of the app gets of all that was sent. */
  const received = async (count: number): Promise<readonly Event[]> => {
    const worker = await app.start({ web: false })
    t.after(() => worker.stop())
    while (seen.length < count) await sleep(5, undefined, t)
    await worker.stop()
    return seen
  }
  return { run, received }
}

async function refused(sending: Promise<string>, code: ErrorCode): Promise<TailraceError> {
  const error: unknown = await sending.then(
    () => assert.fail('it was sent'),
    (reason: unknown) => reason
  )
  assert.ok(hasCode(error, code), String(error))
  return error
}

test('a record is sent with its key, partition and time, and its place is told', {
  timeout: 30_000
}, async (t) => {
  const { received, run } = scene(t)
  const order = { topic: 'orders', value: '{"amount":2}', key: 'me' }
  assert.equal(
    await run({ ...order, partition: '2', timestamp: '2026-01-31T12:00Z' }),
    'sent to orders, partition 2, offset 0'
  )
  assert.deepEqual(JSON.parse(await run({ ...order, partition: '2', timestamp: '7' }, true)), {
    ...{ topic: 'orders', partition: 2, offset: 1, timestamp: 7 }
  })
  // The value is JSON where the topic takes that, and else the text itself.
  await run({ topic: 'texts', value: '42' })
  await run({ topic: 'texts', value: '"quoted"' })
  await run({ topic: 'texts', value: 'plain' })
  // So is a key, with the text before the JSON.
  await run({ topic: 'numbers', value: 'null', key: '7' })
  assert.equal(
    await run({ topic: '@say', value: '{"a":1}' }),
    'sent to shop-say, partition 0, offset 0'
  )
  const seen = await received(7)
  const valuesOf = (topic: string): unknown[] =>
    seen.filter((one) => one.topic === topic).map(({ key, value }) => [key, value])
  assert.deepEqual(valuesOf('orders'), [
    ['me', { amount: 2 }],
    ['me', { amount: 2 }]
  ])
  assert.deepEqual(valuesOf('texts'), [
    [null, '42'],
    [null, 'quoted'],
    [null, 'plain']
  ])
  assert.deepEqual(valuesOf('numbers'), [[7, null]])
  assert.deepEqual(valuesOf('shop-say'), [[null, { a: 1 }]])
  const times = seen.filter((one) => one.topic === 'orders').map(({ timestamp }) => timestamp)
  assert.deepEqual(new Set(times), new Set([7, Date.UTC(2026, 0, 31, 12)]))
})

test('what does not fit the topic is refused before it is sent', async (t) => {
  const { run } = scene(t)
  const invalid = await refused(
    run({ topic: 'orders', value: '{"amount":"x"}', key: 'me' }),
    'TAILRACE_SCHEMA_INVALID'
  )
  assert.match(invalid.message, /the value of a record for "orders"/)
  assert.match(invalid.hint, /Compare the listed problems/)
  const unquoted = await refused(
    run({ topic: 'orders', value: '{amount:1}', key: 'me' }),
    'TAILRACE_SCHEMA_INVALID'
  )
  assert.match(unquoted.hint, /It is no JSON and was taken as text/)
  const keyless = await refused(
    run({ topic: 'orders', value: '{"amount":1}' }),
    'TAILRACE_SCHEMA_NULL'
  )
  assert.match(keyless.message, /the key of a record for "orders"/)
  const beyond = run({ topic: 'texts', value: 'a', partition: '1' })
  const missing = await refused(beyond, 'TAILRACE_CONFIG_INVALID')
  assert.match(missing.message, /"texts" has partitions 0 to 0, and a record was sent to 1/)
})

test('an unknown topic or agent is told with the nearest one and all there are', async (t) => {
  const { run } = scene(t)
  const code = 'TAILRACE_CONFIG_INVALID'
  const topic = await refused(run({ topic: 'ordrs', value: '1' }), code)
  assert.match(topic.message, /app "shop" declares no topic "ordrs"; did you mean "orders"\?/)
  assert.match(topic.hint, /There are orders, texts, numbers, shop-say, .*@say\./)
  assert.doesNotMatch(topic.hint, /@count|repartition/)
  const agent = await refused(run({ topic: '@sya', value: '1' }), code)
  assert.match(agent.message, /app "shop" has no agent "sya"; did you mean "@say"\?/)
  const derived = await refused(run({ topic: '@count', value: '1' }), code)
  assert.match(derived.message, /agent "count" reads a derived stream/)
})

test('both a partition and a time that are none are told at once', async (t) => {
  const { run } = scene(t)
  const given = { topic: 'texts', value: 'a', partition: '-1', timestamp: 'noon' }
  const { message } = await refused(run(given), 'TAILRACE_CONFIG_INVALID')
  assert.match(message, /--partition: is "-1"; expected a whole number from 0/)
  assert.match(message, /--timestamp: is "noon"; expected ms since 1970 or a date/)
})
