// The real clock keeps the contract of `Clock`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../port/clock.ts'
import { realClock } from './real-clock.ts'

test('a scheduled call comes once, and not too soon', async () => {
  const begun = realClock.monotonic()
  let calls = 0
  await new Promise<void>((resolve) => {
    realClock.schedule(5, () => {
      calls++
      resolve()
    })
  })
  assert.ok(realClock.monotonic() - begun >= 5)
  assert.equal(calls, 1)
})

test('a cancelled call never comes; cancelling again does nothing', async () => {
  let calls = 0
  const cancel = realClock.schedule(1, () => calls++)
  cancel()
  cancel()
  await pause(realClock, 10)
  assert.equal(calls, 0)
})

test('a delay longer than a timer can hold does not fire at once', async () => {
  let calls = 0
  const cancel = realClock.schedule(40 * 86_400_000, () => calls++)
  await pause(realClock, 10)
  cancel()
  assert.equal(calls, 0)
})

test('an aborted signal ends a pause at once', async () => {
  const controller = new AbortController()
  const begun = realClock.monotonic()
  const paused = pause(realClock, 60_000, controller.signal)
  controller.abort()
  await paused
  assert.ok(realClock.monotonic() - begun < 5_000)
})

test('a turn lets input and timers have theirs', async () => {
  let hadTurn = false
  setImmediate(() => {
    hadTurn = true
  })
  await realClock.turn()
  assert.equal(hadTurn, true)
})
