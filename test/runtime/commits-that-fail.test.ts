// Commits that fail: tasks begin again, a worker that gets nowhere ends, and what it counted holds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { countingApp } from './counting-in-memory.ts'

test('commits that always fail end the worker, however long tasks take to come back', async () => {
  const log = new TestLog()
  const { app, views } = countingApp()
  let isBroken = false
  const worker = await startTestWorker(app, {
    log,
    settings: { commitIntervalMs: 20 },
    faults: (operation) => {
      if (!isBroken) return undefined
      if (operation === 'transaction.end') return { error: new RangeError('never') }
      // Long enough for several commits that have nothing to commit.
      return operation === 'admin.ranges' ? { delayMs: 200 } : undefined
    }
  })
  isBroken = true
  await log.send(views, { key: 'a', value: 1 })
  await log.clock.advance(30_000)
  assert.match(String(worker.ended?.error), /never/)
  assert.equal(worker.status().counters.restarts, 6)
  const next = countingApp()
  const again = await startTestWorker(next.app, { log, instanceId: 'worker-2' })
  assert.ok(await again.caughtUp())
  assert.equal((await next.counts.query('a')).value, 1)
  await again.stop()
})

test('while tasks begin again, neither their tables nor the worker are ready', async () => {
  const log = new TestLog()
  const { app, counts, views } = countingApp()
  let failures = 0
  const worker = await startTestWorker(app, {
    log,
    faults: (operation) => {
      if (operation === 'transaction.end' && failures-- > 0) return { error: new Error('gone') }
      return operation === 'transaction.open' ? { delayMs: 2_000 } : undefined
    }
  })
  failures = 1
  await log.send(views, { key: 'a', value: 1 })
  await log.clock.advance(1_000)
  assert.equal(worker.status().counters.restarts, 1)
  await assert.rejects(
    () => counts.query('a'),
    (error) => hasCode(error, 'TAILRACE_TABLE_NOT_READY')
  )
  assert.match(worker.status().reason ?? '', /a commit failed/)
  assert.ok(await worker.caughtUp())
  assert.equal((await counts.query('a')).value, 1)
  await worker.stop()
})
