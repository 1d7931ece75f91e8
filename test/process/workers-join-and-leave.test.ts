// A second and a third worker join and leave under load: tasks spread, and those that stay flow.
import assert from 'node:assert/strict'
import { scene } from './run.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Tasks that a worker runs, each with the records it finished since it was opened here. */
async function tasksOf(worker: WorkerProcess): Promise<ReadonlyMap<string, number>> {
  const from = worker.text.length
  worker.signal('SIGUSR1')
  await worker.line(/restoredRecords \d+, lostRecords \d+\n/, from)
  const rows = worker.text.slice(from).matchAll(/^ +(\S+\/\d): running, lag \d+, (\d+) finished/gm)
  return new Map([...rows].map(([, id = '', finished]) => [id, Number(finished)]))
}

/** Resolves when the eight tasks are spread within one of each other. */
async function spread(workers: readonly WorkerProcess[]): Promise<void> {
  const until = performance.now() + 60_000
  for (;;) {
    const tasks = await Promise.all(workers.map(tasksOf))
    const counts = tasks.map((own) => own.size)
    const total = counts.reduce((sum, count) => sum + count, 0)
    // The leader's task is a ninth one, and takes part in the balance.
    if (total === 8 && Math.max(...counts) - Math.min(...counts) <= 2) return
    assert.ok(performance.now() < until, `tasks stay ${counts.join(', ')}`)
  }
}

scene('three workers come and go', async (one) => {
  let isOver = false
  const load = one.sendUntil(() => isOver, { slice: 50, everyMs: 5 })
  const first = await one.worker({ data: 'first' }).started()
  await one.progress()
  const before = await tasksOf(first)
  assert.equal(before.size, 8)

  const second = await one.worker({ data: 'second' }).started()
  await spread([first, second])
  const kept = await tasksOf(first)
  for (const [id, finished] of kept) {
    assert.ok(finished >= (before.get(id) ?? 0), `${id} stayed, and was opened anew`)
  }
  const third = await one.worker({ data: 'third' }).started()
  await spread([first, second, third])
  await one.progress()

  await second.stop()
  await spread([first, third])
  await first.stop()
  await spread([third])
  await one.progress()
  isOver = true
  await load
  await one.settled()
  await third.stop()
  await one.verify({ data: ['first', 'second', 'third'] })
})
