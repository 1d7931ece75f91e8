// Error policies as values, and how long a retry waits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs, deadLetter, type RetryDecision, retry, skip, stop } from './decision.ts'
import { hasCode } from './errors.ts'

test('a policy is a frozen value with its defaults filled in', () => {
  assert.deepEqual(retry(), {
    kind: 'retry',
    times: 5,
    backoffMs: 100,
    backoffMsMax: 30_000,
    otherwise: undefined
  })
  const chosen = retry({ times: 3, backoff: '1s', max: '5s', otherwise: deadLetter() })
  assert.deepEqual(chosen, {
    kind: 'retry',
    times: 3,
    backoffMs: 1_000,
    backoffMsMax: 5_000,
    otherwise: { kind: 'dead-letter', topic: undefined }
  })
  for (const decision of [retry(), deadLetter(), skip, stop]) assert.ok(Object.isFrozen(decision))
})

test('a wait that is no duration is refused', () => {
  assert.throws(
    () => retry({ backoff: '1w' as '1d' }),
    (error) => hasCode(error, 'TAILRACE_CONFIG_DURATION') && /backoff/.test(error.message)
  )
})

test('a dead letter topic that is none is refused', () => {
  for (const given of ['name', null, {}]) {
    assert.throws(
      () => Reflect.apply(deadLetter, undefined, [given]),
      (error) => hasCode(error, 'TAILRACE_CONFIG_INVALID') && /takes a topic/.test(error.message)
    )
  }
})

test('waits double up to the longest, half of each by chance', () => {
  const decision = retry({ backoff: 100, max: 1_000 }) as RetryDecision
  const least = [1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(decision, attempt, 0))
  assert.deepEqual(least, [50, 100, 200, 400, 500, 500])
  const half = [1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(decision, attempt, 0.5))
  assert.deepEqual(half, [75, 150, 300, 600, 750, 750])
  assert.ok(backoffMs(decision, 2_000, 0.999) <= 1_000)
})
