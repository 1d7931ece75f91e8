// Whoever asks twice, or by QUIT, does not wait: exit 2, and the open event is done again later.
import { scene } from './run.ts'

const env = { HOOK: 'never', HOOK_ID: '40' }
const module = 'hooked-visits.ts'

for (const second of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  scene(`TERM, then ${second}`, async (one) => {
    await one.send(50)
    const worker = one.worker({ module, env })
    await worker.line(/hook begins/)
    worker.signal('SIGTERM')
    await worker.line(/the worker stops/)
    worker.signal(second)
    await worker.ends({ code: 2 })
    await one.finish()
  })
}

scene('QUIT alone, under load', async (one) => {
  const worker = await one.worker().started()
  const load = one.sendUntil(() => worker.hasEnded)
  await one.progress()
  worker.signal('SIGQUIT')
  await worker.ends({ code: 2 })
  await load
  await one.finish()
})

scene('a warm stop beyond shutdownTimeout becomes a cold one', async (one) => {
  await one.send(50)
  const worker = one.worker({ module, env: { ...env, TAILRACE_SHUTDOWN_TIMEOUT: '500ms' } })
  await worker.line(/hook begins/)
  worker.signal('SIGTERM')
  await worker.ends({ code: 2 })
  await one.finish()
})
