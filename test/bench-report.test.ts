// What a bench says of its runs: medians, and how ours stand to those of the peers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchOptions } from '../bench/options.ts'
import { lastLine, rowText } from '../bench/report.ts'

const row = {
  workload: 'W1',
  variant: 'loop',
  broker: 'kafka',
  guarantee: 'exactly-once',
  runs: [{ eventsPerSecond: 300, p50Ms: 2 }, { eventsPerSecond: 500 }, { eventsPerSecond: 400 }],
  peers: { ks: [{ eventsPerSecond: 90 }, { eventsPerSecond: 100 }, { eventsPerSecond: 160 }] }
}

test('the last line holds medians with their spread, and ratios of the medians', () => {
  assert.deepEqual(JSON.parse(lastLine(row)), {
    workload: 'W1',
    broker: 'kafka',
    guarantee: 'exactly-once',
    runs: 3,
    ours: {
      eventsPerSecond: { median: 400, min: 300, max: 500 },
      p50Ms: { median: 2, min: 2, max: 2 }
    },
    peers: { ks: { eventsPerSecond: { median: 100, min: 90, max: 160 } } },
    ratios: { ks: { eventsPerSecond: 4 } }
  })
})

test('a row for readers names the peers beside it', () => {
  assert.match(rowText(row), /^W1 loop, kafka, exactly-once, median of 3\n {2}eventsPerSecond/)
  assert.match(rowText(row), /beside it ks, median of 3\n {2}eventsPerSecond +100 /)
})

test('workloads belong to their broker', () => {
  assert.equal(benchOptions(['W4', '--broker', 'kafka']).workload, 'W4')
  assert.throws(() => benchOptions(['W4']), /npm run bench/)
  assert.throws(() => benchOptions(['micro', '--broker', 'kafka']), /npm run bench/)
  assert.throws(
    () => benchOptions(['W1', '--broker', 'kafka', '--guarantee', 'x']),
    /at-least-once/
  )
})
