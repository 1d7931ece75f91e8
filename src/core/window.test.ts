// Windows: which panes hold a time, when they close, and which windows are refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode } from './errors.ts'
import { expiredBefore, hopping, isClosed, latestStart, startsAt, tumbling } from './window.ts'

test('an event falls into one tumbling window, start inclusive and end exclusive', () => {
  const minute = tumbling('1m')
  assert.deepEqual(startsAt(minute, 0), [0])
  assert.deepEqual(startsAt(minute, 59_999), [0])
  assert.deepEqual(startsAt(minute, 60_000), [60_000])
  assert.deepEqual(startsAt(minute, -1), [-60_000])
  assert.equal(latestStart(minute, 61_000), 60_000)
})

test('an event falls into every hopping window that holds it, earliest first', () => {
  const window = hopping('10m', { every: '5m' })
  assert.deepEqual(startsAt(window, 12 * 60_000), [300_000, 600_000])
  const uneven = hopping(10, { every: 4 })
  assert.deepEqual(startsAt(uneven, 9), [0, 4, 8])
  assert.deepEqual(startsAt(uneven, 11), [4, 8])
})

test('for all windows and times: exactly those windows that hold the time', () => {
  const spans = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }))
  fc.assert(
    fc.property(spans, fc.integer({ min: -500, max: 500 }), ([a, b], time) => {
      const [every, size] = a < b ? [a, b] : [b, a]
      const window = hopping(size, { every })
      const expected: number[] = []
      for (let start = -600; start <= 600; start++) {
        const isStart = start % every === 0
        if (isStart && start <= time && time < start + size) expected.push(start)
      }
      assert.deepEqual(
        startsAt(window, time).map((start) => start + 0),
        expected.map((start) => start + 0)
      )
    })
  )
})

test('a window closes at its end and grace, in stream time', () => {
  const window = tumbling('1m', { grace: '10s' })
  assert.equal(isClosed(window, 0, 69_999), false)
  assert.equal(isClosed(window, 0, 70_000), true)
  assert.equal(isClosed(window, 0, -Infinity), false)
})

test('windows are kept a day, longer where size and grace ask for it, or as said', () => {
  const day = 86_400_000
  assert.equal(expiredBefore(tumbling('1m'), day), 0)
  assert.equal(tumbling('2d', { grace: '1d' }).retentionMs, 3 * day)
  assert.equal(tumbling('1m', { retention: '1h' }).retentionMs, 3_600_000)
})

test('windows that make no sense are refused, and say why', () => {
  const cases: readonly (readonly [run: () => unknown, text: RegExp])[] = [
    [() => tumbling(0), /size must be a whole number of ms above 0/],
    [() => tumbling(1.5), /whole number/],
    [() => tumbling('1minute' as '1m'), /size is "1minute", not a duration/],
    [() => hopping('1m', { every: '2m' }), /"every" \(120000 ms\) is longer than its size/],
    [() => hopping('1d', { every: 1 }), /each event into 86400000 windows of .*at most 10000/],
    [() => hopping('1m', {} as { every: '1m' }), /"every" is undefined/],
    [() => tumbling('1m', { retention: '30s' }), /"retention" \(30000 ms\) is shorter than size/],
    [() => tumbling('1m', { grace: '-1s' as '1s' }), /"grace" is "-1s", not a duration/]
  ]
  for (const [run, text] of cases) {
    assert.throws(
      run,
      (error) => hasCode(error, 'TAILRACE_CONFIG_DURATION') && text.test(error.message)
    )
  }
})

test('a window is frozen', () => {
  assert.ok(Object.isFrozen(tumbling('1m')))
})
