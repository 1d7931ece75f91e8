// The virtual clock: time moves only when told, and always in the same order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../../port/clock.ts'
import { VirtualClock } from './virtual-clock.ts'

test('stands still until it is advanced, then runs what is due in order', async () => {
  const clock = new VirtualClock({ startMs: 1_000 })
  const ran: string[] = []
  clock.schedule(20, () => ran.push(`late at ${clock.now()}`))
  clock.schedule(10, () => ran.push(`first at ${clock.monotonic()}`))
  clock.schedule(10, () => ran.push(`second at ${clock.monotonic()}`))
  assert.equal(clock.pending, 3)
  await clock.advance(9)
  assert.deepEqual(ran, [])
  await clock.advance(11)
  assert.deepEqual(ran, ['first at 10', 'second at 10', 'late at 1020'])
})

test('what a step settles runs before the next step', async () => {
  const clock = new VirtualClock()
  const ran: string[] = []
  const chain = async (): Promise<void> => {
    await pause(clock, 10)
    for (let i = 0; i < 50; i++) await Promise.resolve()
    ran.push('chain')
  }
  clock.schedule(10, () => ran.push('before'))
  const done = chain()
  clock.schedule(10, () => ran.push('after'))
  await clock.advance(10)
  await done
  assert.deepEqual(ran, ['before', 'chain', 'after'])
})

test('a cancelled call does not run, and cancelling again does nothing', async () => {
  const clock = new VirtualClock()
  const cancel = clock.schedule(5, () => assert.fail('was cancelled'))
  cancel()
  cancel()
  assert.equal(await clock.runUntilIdle(), true)
})

test('runs until idle, or as long as it may', async () => {
  const clock = new VirtualClock()
  const repeat = (): void => {
    clock.schedule(1_000, repeat)
  }
  repeat()
  assert.equal(await clock.runUntilIdle(10_500), false)
  assert.equal(clock.monotonic(), 10_000)
})

test('settles what waits for time, and says when nothing can settle it', async () => {
  const clock = new VirtualClock()
  const slow = pause(clock, 500).then(() => clock.monotonic())
  assert.equal(await clock.settle(slow), 500)
  await assert.rejects(clock.settle(new Promise(() => undefined)), /nothing within/)
})

test('flows by itself until stopped', async () => {
  const clock = new VirtualClock()
  const stop = clock.flow()
  await pause(clock, 3_600_000)
  await clock.turn()
  await stop()
  assert.ok(clock.monotonic() >= 3_600_000)
})

test('the wall clock can jump without the monotonic one', () => {
  const clock = new VirtualClock({ startMs: 5_000 })
  clock.jumpWall(-3_000)
  assert.deepEqual([clock.now(), clock.monotonic()], [2_000, 0])
})

test('a random number orders what is due together, the same for the same numbers', async () => {
  const orderOf = async (numbers: readonly number[]): Promise<string> => {
    let next = 0
    const clock = new VirtualClock({ random: () => numbers[next++] ?? 0 })
    let order = ''
    for (const name of 'abc') {
      clock.schedule(1, () => {
        order += name
      })
    }
    await clock.advance(1)
    return order
  }
  assert.equal(await orderOf([0.5, 0.9, 0.1]), 'cab')
  assert.equal(await orderOf([0.5, 0.9, 0.1]), 'cab')
})
