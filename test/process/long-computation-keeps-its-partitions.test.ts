// A handler that computes for longer than the session (3 s on the embedded log) keeps its tasks.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

scene('20 s in one event, beside another worker', async (one) => {
  const env = { HOOK: 'compute', HOOK_MS: '20000', HOOK_ID: '40' }
  const module = 'hooked-visits.ts'
  const first = await one.worker({ data: 'first', module, env }).started()
  const second = await one.worker({ data: 'second', module, env }).started()
  await one.send(400)
  await one.settled()
  const [busy, idle] = first.text.includes('hook begins') ? [first, second] : [second, first]
  assert.equal(busy.text.match(/hook begins/g)?.length, 1, 'the event ran once')
  assert.doesNotMatch(idle.text, /hook begins/, 'the event ran nowhere else')
  assert.doesNotMatch(busy.text, /given this worker up|owned by another/)
  await first.stop()
  await second.stop()
  await one.verify({ data: ['first', 'second'] })
})
