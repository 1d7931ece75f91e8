// Durations: what is read, what is refused, and how they are told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Duration,
  durationMs,
  durationMsMax,
  formatDuration,
  parseDuration
} from './duration.ts'
import { hasCode } from './errors.ts'

test('texts with a unit and numbers of ms are read', () => {
  const cases: readonly (readonly [unknown, number])[] = [
    [0, 0],
    [1.5, 1.5],
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    [durationMsMax, durationMsMax]
  ]
  for (const [given, ms] of cases) assert.equal(parseDuration(given), ms, String(given))
})

test('what is no duration is none', () => {
  const bad = [-1, Number.NaN, Infinity, durationMsMax + 1, '', '10', '10 s', '-1s', '1e3s', '1w']
  for (const given of [...bad, '36501d', null, undefined, {}, 10n, true]) {
    assert.equal(parseDuration(given), undefined)
  }
})

test('the error says where and what', () => {
  assert.equal(durationMs('1s', 'here'), 1_000)
  assert.throws(
    () => durationMs('1w' as Duration, '"every" of timer "t"'),
    (error) =>
      hasCode(error, 'TAILRACE_CONFIG_DURATION') &&
      /"every" of timer "t" is "1w"; expected/.test(error.message)
  )
})

test('a duration is told as a person says it', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [59_000, '59s'],
    [90_000, '1m 30s'],
    [300_000, '5m'],
    [5_400_000, '1h 30m'],
    [86_400_000, '1d'],
    [90_000_000, '1d 1h']
  ]
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
})
