// Workers that work on many events at once, killed with some of them done and earlier ones not:
// what was done above the lowest unfinished one is in no commit, and is done again.
import assert from 'node:assert/strict'
import { killsAt, scene } from './run.ts'

const module = 'parallel-visits.ts'

killsAt('event.open', [40, 700], { module })
killsAt('event.finished-in-commit', [100], { module })
killsAt('commit.ended', [12], { module })

scene('workers of many events at once, killed again and again while others join', async (one) => {
  const begin = (data: string): ReturnType<typeof one.worker> => one.worker({ module, data })
  let workers = [begin('data-0'), begin('data-1')]
  for (const worker of workers) await worker.started()
  let isOver = false
  const load = one.sendUntil(() => isOver, { slice: 20, everyMs: 10 })
  for (let round = 0; round < 4; round++) {
    await one.progress(200)
    const place = round % 2
    await workers[place]?.kill()
    workers = workers.with(place, begin(`data-${place}`))
  }
  isOver = true
  await load
  for (const worker of workers) await worker.started()
  await one.settled()
  for (const worker of workers) await worker.stop()
  await one.verify({ data: ['data-0', 'data-1'] })
})

scene('TERM: what is at work finishes and is committed, exit 0', async (one) => {
  for (let round = 0; round < 2; round++) {
    const worker = await one.worker({ module }).started()
    let isStopped = false
    const load = one.sendUntil(() => isStopped)
    await one.progress()
    worker.signal('SIGTERM')
    await worker.ends({ code: 0 })
    assert.doesNotMatch(worker.text, /TAILRACE_/)
    isStopped = true
    await load
  }
  await one.finish()
})
