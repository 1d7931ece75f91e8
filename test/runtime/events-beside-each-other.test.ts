// `each` with a concurrency: what runs beside what, what is committed meanwhile, and what a
// failure, a crash and a lost commit leave. Time is virtual; a test decides when an event is done.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retry, skip } from 'tailrace'
import { TestDisk, TestLog } from 'tailrace/testing'
import { committedOf, Hands, sendJobs, sentOn } from './beside-each-other.ts'

const always = (): boolean => true

test('events of one key come one after the other, others beside them, to the limit', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 3, isHeld: always })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a', 'a', 'b', 'a', 'c', 'd', 'b'])
  await log.clock.advance(50)
  assert.deepEqual(hands.ids, [0, 2, 4], 'the first of three keys')
  hands.letGo(2)
  await log.clock.advance(50)
  assert.deepEqual(hands.ids.slice(3), [5], 'the next key has the place; "b" comes in its order')
  hands.letGo(0)
  await log.clock.advance(50)
  assert.deepEqual(hands.ids.slice(4), [1], 'the next of "a", and not the one after it')
  while (hands.ids.length < 7) {
    hands.letAllGo()
    await log.clock.advance(50)
  }
  hands.letAllGo()
  assert.ok(await worker.caughtUp())
  assert.equal(hands.most, 3)
  for (const ids of [
    [0, 1, 3],
    [2, 6]
  ]) {
    assert.deepEqual(
      hands.ended.filter((id) => ids.includes(id)),
      ids
    )
  }
  assert.deepEqual(sentOn(log, hands), ['0:1', '1:2', '2:1', '3:3', '4:1', '5:1', '6:2'])
  await worker.stop()
})

test("order 'none': events of one key too; no key has no order either", async () => {
  for (const [order, keys] of [
    ['none', ['a', 'a', 'a']],
    ['key', [null, null, null]]
  ] as const) {
    const log = new TestLog()
    const hands = new Hands({ concurrency: 2, order, isHeld: always })
    const worker = await hands.start(log)
    await sendJobs(log, hands, keys)
    await log.clock.advance(50)
    assert.deepEqual(hands.ids, [0, 1])
    hands.letGo(1)
    await log.clock.advance(50)
    assert.deepEqual(hands.ids, [0, 1, 2])
    hands.letGo(0, 2)
    assert.ok(await worker.caughtUp())
    assert.equal(hands.most, 2)
    await worker.stop()
  }
})

test('a commit goes up to the lowest unfinished event, with nothing of those above', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 4, isHeld: (id) => id === 2 })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a', 'b', 'c', 'a', 'd', 'b'])
  await log.clock.advance(1_000)
  assert.deepEqual(new Set(hands.ended), new Set([0, 1, 3, 4, 5]))
  assert.equal(committedOf(log), 2)
  assert.deepEqual(sentOn(log, hands), ['0:1', '1:1'])
  assert.equal((await hands.counts?.query('a'))?.value, 1, 'a query sees what is accepted')
  const [task] = worker.status().tasks
  assert.deepEqual([task?.positions, task?.lag, task?.finished], [{ jobs: 2 }, 4, 2])
  // What comes later is committed as well: nothing waits for a moment without events.
  hands.letGo(2)
  await log.clock.advance(1_000)
  assert.equal(committedOf(log), 6)
  assert.deepEqual(sentOn(log, hands), ['0:1', '1:1', '2:1', '3:2', '4:1', '5:2'])
  await worker.stop()
})

for (const guarantee of ['exactly-once', 'at-least-once'] as const) {
  test(`${guarantee}: a slow first event, then a crash: nothing lost or doubled`, async () => {
    const log = new TestLog()
    const disk = new TestDisk()
    const settings = { guarantee, commitIntervalMs: 100 }
    const first = new Hands({ concurrency: 4, isHeld: (id) => id === 1 })
    const worker = await first.start(log, { disk, settings })
    await sendJobs(log, first, ['a', 'b', 'a', 'c', 'c'])
    await log.clock.advance(1_000)
    assert.deepEqual(new Set(first.ended), new Set([0, 2, 3, 4]), 'those above it are done')
    assert.equal(committedOf(log), 1)
    worker.crash()
    const second = new Hands({ concurrency: 4 })
    const next = await second.start(log, { disk, settings, instanceId: 'worker-2' })
    assert.ok(await next.caughtUp())
    assert.deepEqual(
      new Set(second.ids),
      new Set([1, 2, 3, 4]),
      'what was above is done again, what was below not'
    )
    assert.deepEqual(sentOn(log, second), ['0:1', '1:1', '2:2', '3:1', '4:2'])
    for (const [key, count] of Object.entries({ a: 2, b: 1, c: 2 })) {
      assert.equal((await second.counts?.query(key))?.value, count, key)
    }
    await next.stop()
  })
}

test('a commit that is lost: all tasks begin again, with what is committed', async () => {
  const log = new TestLog()
  let isBroken = false
  const hands = new Hands({ concurrency: 4, isHeld: (id, attempt) => id === 3 && attempt === 1 })
  const worker = await hands.start(log, {
    settings: { commitIntervalMs: 100 },
    faults: (operation) => {
      if (!isBroken || operation !== 'transaction.end') return undefined
      isBroken = false
      return { error: new RangeError('lost') }
    }
  })
  await sendJobs(log, hands, ['a', 'b'])
  assert.ok(await worker.caughtUp())
  isBroken = true
  await sendJobs(log, hands, ['a', 'c', 'b', 'a'], 2)
  await log.clock.advance(1_000)
  assert.equal(worker.status().counters.restarts, 1)
  assert.ok(await worker.caughtUp())
  const expected = ['0:1', '1:1', '2:2', '3:1', '4:2', '5:3']
  assert.deepEqual(sentOn(log, hands), expected)
  // The handler that was given up ends now: nothing of it is there.
  hands.letGo(3)
  await log.clock.advance(1_000)
  assert.deepEqual(sentOn(log, hands), expected)
  assert.equal((await hands.counts?.query('c'))?.value, 1)
  await worker.stop()
})

test('a retry holds up its own key, and nothing else', async () => {
  const log = new TestLog()
  const hands = new Hands({
    concurrency: 2,
    onError: retry({ times: 5, backoff: 1_000, max: 1_000 }),
    failure: (id, attempt) => (id === 0 && attempt < 3 ? new Error('not yet') : undefined)
  })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a', 'b', 'a', 'c', 'd', 'b', 'c', 'd'])
  await log.clock.advance(300)
  assert.deepEqual(hands.ended, [1, 3, 4, 5, 6, 7])
  assert.equal(committedOf(log), 0)
  const [event, ...others] = worker.status().tasks[0]?.openEvents ?? []
  assert.deepEqual([event?.offset, event?.isWaiting, others], [0, true, []])
  assert.ok(await worker.caughtUp())
  assert.deepEqual(hands.ended.slice(6), [0, 2], 'and keeps the order of its key')
  assert.deepEqual(
    sentOn(log, hands),
    [0, 1, 2, 3, 4, 5, 6, 7].map((id) => `${id}:${[0, 1, 3, 4].includes(id) ? 1 : 2}`)
  )
  await worker.stop()
})

test('skipped and dead-lettered events leave nothing but their letter, in its place', async () => {
  for (const onError of [skip, undefined]) {
    const log = new TestLog()
    const hands = new Hands({
      concurrency: 3,
      onError: onError ?? retry({ times: 1, backoff: 1, max: 1 }),
      failure: (id) => (id === 1 ? new Error('never') : undefined)
    })
    const worker = await hands.start(log)
    await sendJobs(log, hands, ['a', 'a', 'a', 'b'])
    assert.ok(await worker.caughtUp())
    assert.deepEqual(sentOn(log, hands), ['0:1', '2:2', '3:1'])
    assert.equal((await hands.counts?.query('a'))?.value, 2)
    const letters = log.readBytes('dead')
    assert.equal(letters.length, onError === undefined ? 1 : 0)
    if (onError === undefined) assert.equal(letters[0]?.headers['__tailrace.dlq.offset'], '1')
    await worker.stop()
  }
})

test('bytes that cannot be read are one dead letter, among events at work', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 3, isHeld: (id) => id === 0 })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a'])
  log.append(hands.jobs, { key: 'a', value: '{broken' })
  await sendJobs(log, hands, ['a', 'b'], 2)
  await log.clock.advance(200)
  assert.deepEqual(hands.ids, [0, 3])
  assert.deepEqual(log.readBytes('dead'), [], 'its place is behind the event that is at work')
  hands.letGo(0)
  assert.ok(await worker.caughtUp())
  assert.deepEqual(sentOn(log, hands), ['0:1', '2:2', '3:1'])
  assert.equal(log.readBytes('dead').length, 1)
  await worker.stop()
})

test('everything at work is in the status and the dump; the longest is named first', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 3, isHeld: always })
  const worker = await hands.start(log)
  await sendJobs(log, hands, ['a'])
  await log.clock.advance(5_000)
  await sendJobs(log, hands, ['b', 'a'], 1)
  await log.clock.advance(5_000)
  const [task] = worker.status().tasks
  assert.deepEqual(
    task?.openEvents.map(({ offset }) => offset),
    [0, 1]
  )
  assert.equal(task?.openEvent?.offset, 0)
  const ages = task?.openEvents.map(({ ageMs }) => ageMs) ?? []
  assert.ok((ages[0] ?? 0) > (ages[1] ?? 0) && (ages[1] ?? 0) > 0, `ages: ${ages}`)
  const dump = worker.runtime.dump()
  assert.match(dump, /works on "jobs" partition 0 offset 0 .*; works on "jobs" .* offset 1 /)
  hands.letAllGo()
  await log.clock.advance(50)
  hands.letAllGo()
  await worker.stop()
})

test('an event that is stuck ends the worker, however many others go by', async () => {
  const log = new TestLog()
  const hands = new Hands({ concurrency: 2, isHeld: (id) => id === 1 })
  const worker = await hands.start(log, { settings: { stallTimeoutMs: 10_000 } })
  await sendJobs(log, hands, ['a', 'b'])
  for (let id = 2; id < 14; id++) {
    await sendJobs(log, hands, ['a'], id)
    await log.clock.advance(1_000)
  }
  assert.match(String(worker.ended?.error), /has worked on "jobs" partition 0 offset 1 for longer/)
  assert.ok(hands.ended.length > 8)
  assert.equal(committedOf(log), 1)
})
