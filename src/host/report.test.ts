// The start report in words: what was chosen by default, and how far the tables are restored.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCounters } from '../runtime/monitor.ts'
import type { TaskStatus, WorkerStatus } from '../runtime/worker.ts'
import { reportText, restoreOf, restoreText, type StartReport, safetyText } from './report.ts'

const report: StartReport = {
  app: 'shop',
  broker: 'embedded:./.tailrace/log',
  isBrokerDefault: true,
  guarantee: 'exactly-once: one storage transaction holds outputs, changelogs and offsets',
  store: 'level',
  directory: '/data/worker-0',
  topics: { orders: 8, alerts: 1 },
  partitions: 9,
  tasks: ['orders/0', 'orders/1'],
  restored: 1_200,
  web: 'http://127.0.0.1:6066',
  pid: 7,
  node: undefined,
  supervisorPid: undefined
}

test('the report has a row for each thing, and says what nobody chose', () => {
  assert.equal(
    reportText(report),
    `app       shop, pid 7
broker    embedded:./.tailrace/log (the default: no broker was named)
guarantee exactly-once: one storage transaction holds outputs, changelogs and offsets
store     level in /data/worker-0
topics    orders (8), alerts (1)
tasks     2 of this worker
restored  1200 records
web       http://127.0.0.1:6066`
  )
})

test('what is not there is said', () => {
  const bare = reportText({
    ...report,
    isBrokerDefault: false,
    store: 'memory',
    directory: undefined,
    topics: {},
    tasks: [],
    restored: 0,
    web: undefined
  })
  assert.match(bare, /^broker {4}embedded:\.\/\.tailrace\/log$/m)
  assert.match(bare, /^store {5}memory$/m)
  assert.match(bare, /^topics {4}none$/m)
  assert.match(bare, /^tasks {5}none yet$/m)
  assert.match(bare, /^restored {2}nothing to restore$/m)
  assert.match(bare, /^web {7}none$/m)
})

type Restoring = Omit<NonNullable<TaskStatus['restore']>, 'recordsPerSecond'>

function status(...restored: readonly (Restoring | 'done')[]): WorkerStatus {
  const tasks = restored.map((one, partition): TaskStatus => {
    const isDone = one === 'done'
    return {
      id: `t/${partition}`,
      partition,
      state: isDone ? 'running' : 'restoring',
      restore: isDone ? undefined : { ...one, recordsPerSecond: 100 },
      lag: 0,
      positions: {},
      finished: 0,
      streamTime: null,
      openEvent: undefined,
      openEvents: []
    }
  })
  return {
    state: 'starting',
    node: undefined,
    isQuiet: false,
    isReady: false,
    reason: 'tables are being restored',
    memberId: 'm',
    generation: 1,
    isLeader: false,
    leaderEpoch: undefined,
    tasks,
    cacheBytes: 0,
    background: [],
    counters: newCounters()
  }
}

test('restore progress: tasks done, records left, and the longest time that is known', () => {
  assert.equal(restoreOf(status('done', 'done')), undefined)
  const progress = restoreOf(
    status(
      'done',
      { records: 5, remaining: 900, etaMs: 3_000 },
      { records: 9, remaining: 100, etaMs: 9_000 }
    )
  )
  assert.ok(progress !== undefined)
  assert.deepEqual(progress, { tasks: 3, restored: 1, remaining: 1_000, etaMs: 9_000 })
  assert.equal(restoreText(progress), 'restored  1 of 3 tasks, 1000 records left, about 9s')
  const early = restoreOf(status({ records: 0, remaining: 10, etaMs: undefined }))
  assert.ok(early !== undefined)
  assert.equal(restoreText(early), 'restored  0 of 1 tasks, 10 records left')
})

test('how safe records are is said in servers, and what cannot be written is said loudly', () => {
  assert.equal(
    safetyText({ servers: 3, replication: 3, insyncMin: 2 }),
    'each record is on 3 of 3 brokers, written when 2 have it'
  )
  assert.equal(
    safetyText({ servers: 1, replication: 1, insyncMin: 1 }),
    'each record is on 1 of 1 broker, written when 1 have it: ' +
      'a disk that is lost takes records along'
  )
  assert.match(safetyText({ servers: 3, replication: 1, insyncMin: 2 }), /NOTHING CAN BE WRITTEN/)
})
