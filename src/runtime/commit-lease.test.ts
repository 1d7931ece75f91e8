// Who gives way to whom, on one thread and on two.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { pause } from '../port/clock.ts'
import { CommitLease } from './commit-lease.ts'
import { realClock } from './real-clock.ts'

const long = 30_000

function twoSides(): { readonly worker: CommitLease; readonly keeper: CommitLease } {
  const worker = new CommitLease(realClock)
  return { worker, keeper: new CommitLease(realClock, worker.shared) }
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  return (await Promise.race([promise, pause(realClock, 20).then(() => open)])) !== open
}

test('a commit begins at once where no join is under way', () => {
  const { worker } = twoSides()
  assert.equal(worker.tryTake(), true)
})

test('a join waits for the commit that had begun', async () => {
  const { keeper, worker } = twoSides()
  await worker.take(long)
  const join = keeper.beginJoin(long)
  assert.equal(await isSettled(join), false)
  worker.release()
  await join
})

test('a commit waits for the join, and for what it came to', async () => {
  const { keeper, worker } = twoSides()
  await keeper.beginJoin(long)
  const commit = worker.take(long)
  assert.equal(await isSettled(commit), false)
  const membership = keeper.renew()
  keeper.endJoin()
  assert.equal(await isSettled(commit), false, 'it has not been told what it is now')
  worker.told(membership)
  await commit
})

test('commits go on while the group waits for others, until there is news', async () => {
  const { keeper, worker } = twoSides()
  await keeper.beginJoin(long)
  const commit = worker.take(long)
  keeper.waitForOthers()
  await commit
  worker.release()
  keeper.renew()
  keeper.endJoin()
  assert.equal(worker.tryTake(), false)
})

test('a join that came to nothing lets the commit go on', async () => {
  const { keeper, worker } = twoSides()
  await keeper.beginJoin(long)
  const commit = worker.take(long)
  keeper.endJoin()
  await commit
})

test('a commit that does not end holds up a join no longer than allowed', async () => {
  const { keeper, worker } = twoSides()
  await worker.take(long)
  await keeper.beginJoin(30)
  keeper.endJoin()
})

test('a join that does not end holds up a commit no longer than allowed', async () => {
  const { keeper, worker } = twoSides()
  await keeper.beginJoin(long)
  await worker.take(30)
  assert.equal(await isSettled(keeper.beginJoin(long)), false, 'the commit has the lease')
  worker.release()
})

test('while the loop is blocked the other thread finds the lease taken, then free', async () => {
  const worker = new CommitLease(realClock)
  await worker.take(long)
  const source = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.lease).then(async ({ CommitLease }) => {
      const { realClock } = await import(workerData.clock)
      const lease = new CommitLease(realClock, workerData.shared)
      const state = new Int32Array(workerData.state)
      await lease.beginJoin(50)
      Atomics.store(state, 0, 1)
      Atomics.notify(state, 0)
      await lease.beginJoin(30_000)
      parentPort.postMessage('free')
    })`
  const state = new SharedArrayBuffer(4)
  const thread = new Worker(source, {
    eval: true,
    workerData: {
      lease: new URL('./commit-lease.ts', import.meta.url).href,
      clock: new URL('./real-clock.ts', import.meta.url).href,
      shared: worker.shared,
      state
    }
  })
  try {
    const message = new Promise((resolve, reject) => {
      thread.once('message', resolve)
      thread.once('error', reject)
    })
    // This blocks the loop until the other side has given up its first wait.
    assert.notEqual(Atomics.wait(new Int32Array(state), 0, 0, 30_000), 'timed-out')
    assert.equal(await isSettled(message), false)
    worker.release()
    assert.equal(await message, 'free')
  } finally {
    await thread.terminate()
  }
})

test('what is owned is safe for a session after the last answer', () => {
  const { keeper, worker } = twoSides()
  assert.equal(worker.safeUntilMs(10_000), Number.POSITIVE_INFINITY, 'a log that says no times')
  keeper.heard(5_000)
  assert.equal(worker.safeUntilMs(10_000), 15_000)
  keeper.heard(6_000)
  assert.equal(worker.safeUntilMs(10_000), 16_000)
})

test('nothing is safe from a loss on until the worker was told, whatever is heard', () => {
  const { keeper, worker } = twoSides()
  keeper.heard(5_000)
  keeper.lose()
  const membership = keeper.renew()
  keeper.heard(9_000)
  assert.equal(worker.safeUntilMs(10_000), 0)
  worker.told(membership)
  assert.equal(worker.safeUntilMs(10_000), 0, 'that was about something else')
  worker.told(membership, true)
  assert.equal(worker.safeUntilMs(10_000), 19_000)
})
