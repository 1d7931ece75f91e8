// A handler whose promise never settles: after stallTimeout the event is named, and exit 1.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

scene('a promise that never settles', async (one) => {
  await one.send(50)
  const env = { HOOK: 'never', HOOK_ID: '40', TAILRACE_STALL_TIMEOUT: '3s' }
  const worker = one.worker({ module: 'hooked-visits.ts', env })
  await worker.ends({ code: 1 })
  assert.match(worker.text, /TAILRACE_AGENT_STALLED/)
  assert.match(worker.text, /agent "count".* partition \d offset \d+/)
  await one.finish()
})
