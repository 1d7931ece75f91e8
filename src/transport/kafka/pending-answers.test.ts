// Tests of deadlines: late timers are forgiven, late answers are not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../port/clock.ts'
import { PendingAnswers } from './pending-answers.ts'

/** A clock whose timers fire when it is told, however late. */
class HandClock implements Clock {
  time = 0
  readonly timers: Set<{ readonly at: number; readonly run: () => void }> = new Set()

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time
  }

  schedule(delayMs: number, run: () => void): () => void {
    const timer = { at: this.time + delayMs, run }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** The loop was blocked until then: what is due fires only now. */
  async jumpTo(time: number): Promise<void> {
    this.time = time
    for (const timer of [...this.timers]) {
      if (timer.at > time) continue
      this.timers.delete(timer)
      timer.run()
    }
    for (let i = 0; i < 3; i++) await this.turn()
  }
}

function pending(): { clock: HandClock; answers: PendingAnswers; late: number[] } {
  const clock = new HandClock()
  const late: number[] = []
  return { clock, late, answers: new PendingAnswers(clock, (key) => late.push(key)) }
}

const nobody = { answer: () => undefined, fail: () => undefined }

function frame(correlation: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(correlation)
  return bytes
}

test('an answer goes to who asked, and nobody else’s is taken', () => {
  const { answers } = pending()
  const [one, two] = [answers.nextCorrelation(), answers.nextCorrelation()]
  answers.add(one, { ...nobody, key: 1 }, 100)
  answers.add(two, { ...nobody, key: 2 }, 100)
  assert.equal(answers.take(frame(two)).key, 2)
  assert.throws(() => answers.take(frame(two)), RangeError)
  assert.equal(answers.take(frame(one)).key, 1)
})

test('without an answer the first deadline is told', async () => {
  const { answers, clock, late } = pending()
  answers.add(answers.nextCorrelation(), { ...nobody, key: 1 }, 1_000)
  answers.add(answers.nextCorrelation(), { ...nobody, key: 2 }, 100)
  await clock.jumpTo(99)
  assert.deepEqual(late, [])
  await clock.jumpTo(100)
  assert.deepEqual(late, [2])
})

test('time in which the loop was blocked does not count', async () => {
  const { answers, clock, late } = pending()
  answers.add(answers.nextCorrelation(), { ...nobody, key: 1 }, 100)
  await clock.jumpTo(5_000)
  assert.deepEqual(late, [])
  await clock.jumpTo(5_000 + 1_000)
  assert.deepEqual(late, [1])
})

test('an answered request has no deadline, and a cleared list no timer', async () => {
  const { answers, clock, late } = pending()
  const one = answers.nextCorrelation()
  answers.add(one, { ...nobody, key: 1 }, 100)
  answers.take(frame(one))
  await clock.jumpTo(100)
  answers.add(answers.nextCorrelation(), { ...nobody, key: 2 }, 100)
  assert.equal(answers.clear().length, 1)
  assert.equal(clock.timers.size, 0)
  await clock.jumpTo(1_000)
  assert.deepEqual(late, [])
})
