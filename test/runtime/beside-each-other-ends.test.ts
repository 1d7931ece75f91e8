// `each` with a concurrency, when its task ends or an event takes too long: what is still finished,
// what is left for the next owner, and what a handler that was given up can still do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, retry, skip } from 'tailrace'
import { TestDisk, TestLog, TestWorker } from 'tailrace/testing'
import { committedOf, Hands, sendJobs, sentOn } from './beside-each-other.ts'

const always = (): boolean => true

test('a stop lets what is at work finish, and what it stands behind; no more begins', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 3, isHeld: always })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a', 'a', 'b', 'c', 'c', 'd'])
  await log.clock.advance(50)
  assert.deepEqual(hands.ids, [0, 2, 3])
  const stopped = worker.runtime.stop({ reason: 'the test stops it' })
  await log.clock.advance(50)
  assert.ok(hands.began.every(({ signal }) => signal.aborted))
  hands.letGo(2, 3)
  await log.clock.advance(50)
  assert.deepEqual(hands.ids, [0, 2, 3])
  hands.letGo(0)
  await log.clock.advance(50)
  assert.deepEqual(hands.ids, [0, 2, 3, 1], 'the event between them is needed')
  hands.letGo(1)
  await log.clock.settle(stopped)
  assert.equal(committedOf(log), 4)
  assert.deepEqual(sentOn(log, hands), ['0:1', '1:2', '2:1', '3:1'])
})

test('a stop does not wait for an event that waits for its next try', async () => {
  const log = new TestLog()
  const hands = new Hands({
    concurrency: 3,
    isHeld: (id) => id === 0 || id === 2,
    onError: retry({ times: 5, backoff: 20_000, max: 20_000 }),
    failure: (id) => (id === 1 ? new Error('later') : undefined)
  })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a', 'b', 'c'])
  await log.clock.advance(50)
  const stopped = worker.runtime.stop({ reason: 'the test stops it' })
  await log.clock.advance(50)
  hands.letGo(0)
  const before = log.clock.monotonic()
  await log.clock.settle(stopped)
  assert.ok(log.clock.monotonic() - before < 5_000)
  assert.equal(committedOf(log), 1, 'the third was at work, and stands behind the one that waits')
})

for (const isCold of [false, true]) {
  const how = isCold ? 'cold' : 'beyond its time'
  test(`a stop ${how} undoes what is at work; the next worker does it`, async () => {
    const log = new TestLog()
    const disk = new TestDisk()
    const first = new Hands({ concurrency: 3, isHeld: (id) => id !== 0 })
    const worker = await first.start(log, { disk, settings: { shutdownTimeoutMs: 1_000 } })
    await sendJobs(log, first, ['a', 'b', 'a'])
    await log.clock.advance(500)
    await worker.stop({ isCold })
    assert.equal(committedOf(log), 1)
    // Their scopes are dead: what they do now is refused.
    first.letAllGo()
    await log.clock.advance(50)
    const second = new Hands({ concurrency: 3 })
    const next = await second.start(log, { disk, instanceId: 'worker-2' })
    assert.ok(await next.caughtUp())
    assert.deepEqual(sentOn(log, second), ['0:1', '1:1', '2:2'])
    await next.stop()
  })
}

test('a partition that moves takes nothing unfinished along; the others go on', async () => {
  const log = new TestLog()
  const options = { concurrency: 2, partitions: 4 }
  const first = new Hands({ ...options, isHeld: always })
  const worker = await first.start(log)
  const keys = Array.from({ length: 32 }, (_, index) => `key-${index}`)
  await sendJobs(log, first, keys)
  await log.clock.advance(100)
  assert.equal(first.began.length, 8, 'two of each partition')
  const second = new Hands(options)
  const next = new TestWorker(second.app, { log, instanceId: 'worker-2' })
  const joining = next.start()
  // The moving tasks drain: what is at work is awaited, nothing more is begun in them.
  for (let step = 0; step < 300 && second.began.length === 0; step++) {
    await log.clock.advance(20)
    if (step > 100) first.letAllGo()
  }
  await joining
  for (let step = 0; step < 300 && !log.isCommitted('app', ['jobs']); step++) {
    first.letAllGo()
    await log.clock.advance(20)
  }
  assert.ok(await next.caughtUp())
  assert.ok(second.ended.length > 0, 'some have moved')
  assert.deepEqual(
    [...first.ended, ...second.ended].sort((a, b) => a - b),
    [...keys.keys()]
  )
  assert.deepEqual([...sentOn(log, second)].sort(), keys.map((_, id) => `${id}:1`).sort())
  await next.stop()
  await worker.stop()
})

for (const concurrency of [1, 2]) {
  test(`timeout, ${concurrency} at a time: the event fails, what it does is refused`, async () => {
    const log = new TestLog()
    const late: unknown[] = []
    const hands = new Hands({
      concurrency,
      timeout: 5_000,
      onError: ({ error, attempts }) => {
        late.push(error)
        return attempts === 1 ? retry({ times: 1, backoff: 10, max: 10 }) : skip
      },
      // The first never ends; its second try does.
      isHeld: (id, attempt) => id === 0 && attempt === 1
    })
    const worker = await hands.start(log)
    await sendJobs(log, hands, ['a', 'a', 'b'])
    await log.clock.advance(4_900)
    assert.deepEqual(late, [])
    assert.equal(hands.began[0]?.signal.aborted, false)
    assert.ok(await worker.caughtUp())
    assert.equal(late.length, 1)
    const [error] = late
    assert.ok(hasCode(error, 'TAILRACE_AGENT_TIMEOUT'), String(error))
    assert.match(String(error), /"work" worked on one event for longer than its timeout of 5000 ms/)
    assert.equal(hands.began[0]?.signal.aborted, true)
    assert.equal(hands.began[0].signal.reason, error)
    assert.ok(hands.began.slice(1).every(({ signal }) => !signal.aborted))
    // The promise settles after all: nobody waits for it, and what follows is refused.
    hands.letGo(0)
    await log.clock.advance(1_000)
    assert.deepEqual(sentOn(log, hands), ['0:1', '1:2', '2:1'])
    assert.equal((await hands.counts?.query('a'))?.value, 2)
    await worker.stop()
  })
}

test('promises that never settle hold no place, however many there are', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 2, timeout: 1_000, onError: skip, isHeld: (id) => id < 5 })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a', 'b', 'c', 'd', 'e', 'f'])
  assert.ok(await worker.caughtUp())
  assert.equal(worker.status().counters.skipped, 5)
  assert.deepEqual(sentOn(log, hands), ['5:1'])
  await worker.stop()
})

test('signals of many events at once cost no warning, and hear of a stop', async () => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  const log = new TestLog()
  const hands = new Hands({ concurrency: 64, timeout: 60_000, isHeld: always })
  const worker = await hands.start(log)
  await sendJobs(
    log,
    hands,
    Array.from({ length: 64 }, (_, index) => `key-${index}`)
  )
  await log.clock.advance(100)
  assert.equal(hands.began.length, 64)
  await worker.stop({ isCold: true })
  assert.ok(hands.began.every(({ signal }) => signal.aborted))
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', note)
  assert.deepEqual(warnings, [])
})
