// What counts as an event that takes too long, and as a loop that is blocked; and what does not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, retry, TailraceError } from 'tailrace'
import { startTestWorker, TestLog, type TestWorker } from 'tailrace/testing'
import { z } from 'zod'
import { pause } from '../../src/port/clock.ts'
import { Pulse } from '../../src/runtime/pulse.ts'
import { watchLoop } from '../../src/runtime/stall-watch.ts'
import { VirtualClock } from '../../src/transport/memory/virtual-clock.ts'

const stallTimeoutMs = 5_000

interface Scene {
  readonly log: TestLog
  readonly worker: TestWorker
  readonly send: (value: number) => Promise<unknown>
}

/** A worker whose handler waits for as long as `waitMs` says of the nth call. */
async function waiting(waitMs: (call: number) => number, failures = 0): Promise<Scene> {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 1 })
  const onError = retry({ times: 9, backoff: '3s', max: '3s' })
  let calls = 0
  app.each('read', { source: numbers, onError }, async () => {
    await pause(log.clock, waitMs(calls++))
    if (calls <= failures) throw new Error('not yet')
  })
  const worker = await startTestWorker(app, { log, settings: { stallTimeoutMs } })
  return { log, worker, send: (value) => log.send(numbers, { value }) }
}

const errorOf = (worker: TestWorker): unknown => worker.ended?.error

test('an event beyond stallTimeout ends the worker, and is named', async () => {
  const { log, send, worker } = await waiting(() => 2 * stallTimeoutMs)
  await send(1)
  await log.clock.advance(stallTimeoutMs - 500)
  assert.equal(errorOf(worker), undefined, 'not before its time')
  await log.clock.advance(3_000)
  const error = errorOf(worker)
  assert.ok(error instanceof TailraceError && error.code === 'TAILRACE_AGENT_STALLED')
  assert.match(error.message, /agent "read" has worked on "numbers" partition 0 offset 0/)
})

test('an event that comes after a quiet time is not as old as that', async () => {
  const { log, send, worker } = await waiting(() => stallTimeoutMs / 2)
  await log.clock.advance(10 * stallTimeoutMs)
  await send(1)
  assert.ok(await worker.caughtUp())
  assert.equal(worker.ended, undefined)
  await worker.stop()
})

test('tries and the waits between them are not added up', async () => {
  const { send, worker } = await waiting(() => stallTimeoutMs / 2, 4)
  await send(1)
  assert.ok(await worker.caughtUp())
  assert.equal(worker.status().counters.retries, 4)
  assert.equal(worker.ended, undefined)
  await worker.stop()
})

test('one event after the other, each short, is no stall however many', async () => {
  const { send, worker } = await waiting(() => stallTimeoutMs / 4)
  for (let n = 0; n < 12; n++) await send(n)
  assert.ok(await worker.caughtUp())
  assert.equal(worker.ended, undefined)
  await worker.stop()
})

test('a process that was stopped as a whole did not work meanwhile', async () => {
  const { log, send, worker } = await waiting(() => 3_000)
  await send(1)
  await log.clock.advance(500)
  worker.freeze(20 * stallTimeoutMs)
  await log.clock.advance(20 * stallTimeoutMs)
  assert.ok(await worker.caughtUp())
  assert.equal(worker.ended, undefined)
  await worker.stop()
})

test('a warm stop whose last commit fails is no good end', async () => {
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:' })
  const numbers = app.topic('numbers', { value: z.number(), partitions: 1 })
  app.each('read', { source: numbers }, () => undefined)
  let isFull = false
  const error = new TailraceError('TAILRACE_STATE_FULL', 'the test has no room')
  const faults = (operation: string): { error: Error } | undefined =>
    isFull && operation === 'transaction.end' ? { error } : undefined
  const settings = { commitIntervalMs: 60_000 }
  const worker = await startTestWorker(app, { log, faults, settings })
  await log.send(numbers, { value: 1 })
  await log.clock.advance(100)
  isFull = true
  await assert.rejects(worker.stop(), error)
  assert.equal(worker.ended?.error, error)
})

/** A watch on a loop that ticks when told; `blocked` is how long it was silent. */
function watched(limitMs: number): { clock: VirtualClock; pulse: Pulse; blocked: number[] } {
  const clock = new VirtualClock()
  const pulse = new Pulse([])
  const blocked: number[] = []
  pulse.watch(limitMs)
  watchLoop(pulse, clock, (silentMs) => blocked.push(silentMs))
  return { clock, pulse, blocked }
}

test('a silent loop is reported once, beyond its limit', async () => {
  const { blocked, clock, pulse } = watched(1_000)
  for (let turn = 0; turn < 20; turn++) {
    pulse.tick(clock.monotonic())
    await clock.advance(250)
  }
  assert.deepEqual(blocked, [])
  await clock.advance(5_000)
  assert.equal(blocked.length, 1)
  assert.ok((blocked[0] ?? 0) > 1_000 && (blocked[0] ?? 0) < 1_300, `${blocked[0]} ms`)
})

test('a silent loop is let be where nobody watches', async () => {
  const { blocked, clock } = watched(0)
  await clock.advance(60_000)
  assert.deepEqual(blocked, [])
})

test('a keeper that slept as well reports no silence of that time', async () => {
  const clock = new VirtualClock()
  const pulse = new Pulse([])
  let leapMs = 0
  pulse.watch(1_000)
  const sleeping = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + leapMs,
    turn: () => clock.turn(),
    schedule: (delayMs: number, run: () => void) => clock.schedule(delayMs, run)
  }
  const blocked: number[] = []
  watchLoop(pulse, sleeping, (silentMs) => blocked.push(silentMs))
  pulse.tick(clock.monotonic())
  await clock.advance(250)
  leapMs = 3_600_000
  await clock.advance(250)
  assert.deepEqual(blocked, [])
})

test('the pulse tells every open event to another thread, and none that is over', () => {
  const sources = [
    { topic: 'a', readers: ['first', 'second'] },
    { topic: 'b', readers: ['first'] }
  ]
  const tasks = [0, 1, 2].map((partition) => ({ id: `a+b/${partition}`, partition, sources }))
  const own = new Pulse(tasks)
  const other = new Pulse(tasks, own.shared)
  assert.deepEqual(other.openEvents(), [])
  own.rowOf('a+b/0').enter(1, 7, 0)
  own.rowOf('a+b/1').enter(0, 3, 0)
  own.rowOf('a+b/2').enter(0, 2 ** 40, 1)
  own.rowOf('a+b/1').leave()
  assert.deepEqual(other.openEvents(), [
    { topic: 'b', partition: 0, offset: 7, agent: 'first' },
    { topic: 'a', partition: 2, offset: 2 ** 40, agent: 'second' }
  ])
})
