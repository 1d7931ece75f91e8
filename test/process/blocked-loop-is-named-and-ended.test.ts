// A handler that blocks the loop beyond its limit: the keeper names event and stack, then signal 9.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

const module = 'hooked-visits.ts'
const env = { HOOK_MS: '600000', HOOK_ID: '40', TAILRACE_STALL_TIMEOUT: '3s' }
const event =
  /agent \W*count\W* worked on \W*visits[-\w]*-by-page-repartition\W* partition \d offset \d+/

scene('an endless computation', async (one) => {
  await one.send(50)
  const worker = one.worker({ module, env: { ...env, HOOK: 'compute' } })
  await worker.ends({ signal: 'SIGKILL' })
  assert.match(worker.text, /TAILRACE_AGENT_STALLED/)
  assert.match(worker.text, event)
  assert.match(worker.text, /computeForLong \(file:.*hooked-visits\.ts:\d+:\d+\)/)
  await one.finish()
})

scene('a wait outside JavaScript, which has no stack', async (one) => {
  await one.send(50)
  const worker = one.worker({ module, env: { ...env, HOOK: 'block' } })
  await worker.ends({ signal: 'SIGKILL' })
  assert.match(worker.text, /TAILRACE_AGENT_STALLED/)
  assert.match(worker.text, event)
  await one.finish()
})

scene('a computation that begins when the worker stops', async (one) => {
  await one.send(50)
  const stop = { TAILRACE_SHUTDOWN_TIMEOUT: '1s', TAILRACE_STALL_TIMEOUT: '5m' }
  const worker = one.worker({ module, env: { ...env, ...stop, HOOK: 'compute-at-stop' } })
  await worker.line(/hook begins/)
  worker.signal('SIGTERM')
  await worker.ends({ signal: 'SIGKILL' })
  assert.match(worker.text, event)
  assert.match(worker.text, /computeForLong \(file:/)
  await one.finish()
})
