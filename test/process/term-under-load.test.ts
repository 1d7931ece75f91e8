// TERM and INT under load: open events end, all is committed, exit 0; the next start goes on.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  scene(`${signal} three times under load loses and doubles nothing`, async (one) => {
    for (let round = 0; round < 3; round++) {
      const worker = await one.worker().started()
      let isStopped = false
      const load = one.sendUntil(() => isStopped)
      // Some load first: commits of this worker are seen by what it has committed.
      await one.progress()
      worker.signal(signal)
      await worker.ends({ code: 0 })
      isStopped = true
      await load
    }
    await one.finish()
  })
}

scene('a stop in the middle of the start is a stop', async (one) => {
  const worker = one.worker()
  await worker.titled()
  worker.signal('SIGTERM')
  await worker.ends({ code: 0 })
  assert.doesNotMatch(worker.text, /Error|TAILRACE_/)
})

scene('an open event may end: its effect is there, and it is not done again', async (one) => {
  await one.send(50)
  const env = { HOOK: 'wait', HOOK_MS: '700', HOOK_ID: '40' }
  const worker = one.worker({ module: 'hooked-visits.ts', env })
  await worker.line(/hook begins/)
  worker.signal('SIGTERM')
  await worker.line(/hook ends/)
  await worker.ends({ code: 0 })
  const next = one.worker({ module: 'hooked-visits.ts', env })
  await next.started()
  await one.settled()
  await next.stop()
  assert.doesNotMatch(next.text, /hook begins/)
  await one.verify()
})
