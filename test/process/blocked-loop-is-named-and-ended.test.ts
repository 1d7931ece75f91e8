// A handler that computes beyond stallTimeout: the keeper names event and stack, then signal 9.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

scene('an endless computation', async (one) => {
  await one.send(50)
  const env = {
    HOOK: 'compute',
    HOOK_MS: '600000',
    HOOK_ID: '40',
    TAILRACE_STALL_TIMEOUT: '2s'
  }
  const worker = one.worker({ module: 'hooked-visits.ts', env })
  await worker.ends({ signal: 'SIGKILL' })
  assert.match(worker.text, /TAILRACE_AGENT_STALLED/)
  assert.match(worker.text, /"?visits-by-page-repartition\\?"? partition \d offset \d+/)
  assert.match(worker.text, /computeForLong \(file:.*hooked-visits\.ts:\d+:\d+\)/)
  await one.finish()
})
