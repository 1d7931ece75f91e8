// A restore that takes its time, on disk: how far it is, how fast and how long it will take, in the
// status, on the pages and in the dump; tables answer "not ready" and never half of themselves.
import assert from 'node:assert/strict'
import { hasCode, type WorkerStatus } from 'tailrace'
import { counting, feed, rowsAfter, rowsOf } from './counting.ts'
import { onLog, until } from './embedded-log.ts'
import { type Watch, watchedStore } from './store-watch.ts'

const keys = 2_000

onLog('held up in the middle: seen from everywhere; then it is whole', async (log) => {
  await log.create('in', 4)
  await feed(log, keys)
  const first = await log.start(counting(log).app)
  await log.settled(first, 'in')
  await first.stop()

  let writes = 0
  const gate = Promise.withResolvers<void>()
  const watch: Watch = {
    beforeWrite: async () => {
      writes++
      // One task has written some, and nobody gets on.
      if (writes > 4) await gate.promise
    }
  }
  const store = () => watchedStore(log.place('fresh'), watch)
  const one = counting(log, { store, web: { port: 0 } })
  const worker = await one.app.runner.prepare({ isJson: true, level: 'silent' })
  const started = worker.start()
  started.catch(() => undefined)
  try {
    const restoring = (): WorkerStatus['tasks'] =>
      worker.status().tasks.filter(({ restore, state }) => {
        return state === 'restoring' && (restore?.records ?? 0) > 0 && restore?.etaMs !== undefined
      })
    await until(() => restoring().length > 0, 'a task tells how long it will take')
    const [task] = restoring()
    assert.ok(task?.restore !== undefined)
    assert.ok(task.restore.recordsPerSecond > 0)
    assert.ok(task.restore.remaining >= 0)

    const { isReady, reason } = worker.status()
    assert.equal(isReady, false)
    assert.match(reason ?? '', /^\d of 4 tasks are being restored, \d+ records left, about \S+$/)
    assert.match(worker.dump(), /not ready: \d of 4 tasks are being restored/)
    assert.ok(worker.url !== undefined)
    const ready = await fetch(`${worker.url}/ready`)
    assert.equal(ready.status, 503)
    assert.match(await ready.text(), /being restored, \d+ records left, about /)
    const status = (await (await fetch(`${worker.url}/status`)).json()) as WorkerStatus
    assert.ok(status.tasks.some(({ restore }) => restore?.etaMs !== undefined))

    const refusals = await Promise.allSettled([1, 2, 3].map((n) => one.counts.query(`key-${n}`)))
    for (const refusal of refusals) {
      assert.ok(refusal.status === 'rejected')
      assert.ok(hasCode(refusal.reason, 'TAILRACE_TABLE_NOT_READY'), String(refusal.reason))
      assert.match(refusal.reason.message, /partition \d of table "counts" is being restored/)
    }
    assert.deepEqual(one.counts.scan().coverage, { partitions: [], of: 4, isComplete: false })
  } finally {
    gate.resolve()
    await started
  }
  try {
    assert.equal((await fetch(`${worker.url}/ready`)).status, 200)
    assert.ok(worker.status().tasks.every(({ restore }) => restore === undefined))
    assert.deepEqual(await rowsOf(one), rowsAfter(keys))
  } finally {
    await worker.stop()
  }
})
