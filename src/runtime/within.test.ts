// A limit counts the time in which the loop was free, and lets what came in be read before it ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { realClock } from './real-clock.ts'
import { within } from './within.ts'

const late = (): Error => new Error('late')

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Answers over a port at once, but can only be heard by a loop that is free. */
function answer(): { readonly heard: Promise<unknown>; end(): Promise<unknown> } {
  const thread = new Worker(`require('node:worker_threads').parentPort.postMessage(1)`, {
    eval: true
  })
  const heard = new Promise((resolve) => thread.once('message', resolve))
  return { heard, end: () => thread.terminate() }
}

test('what is not there in time is late', async () => {
  const never = new Promise<void>(() => undefined)
  await assert.rejects(within(never, { clock: realClock, limitMs: 30, late }), /late/)
})

test('what comes in time is handed on, rejections too', async () => {
  const parts = { clock: realClock, limitMs: 30_000, late }
  assert.equal(await within(Promise.resolve(1), parts), 1)
  await assert.rejects(within(Promise.reject(new Error('own')), parts), /own/)
})

test('an answer that waits behind a blocked loop is in time', { timeout: 60_000 }, async () => {
  const { end, heard } = answer()
  try {
    const work = within(heard, { clock: realClock, limitMs: 2_000, late })
    // The loop is free just long enough for the limit to begin, and blocked beyond its end.
    block(5_000)
    assert.equal(await work, 1)
  } finally {
    await end()
  }
})
