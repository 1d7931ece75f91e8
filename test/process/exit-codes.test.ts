// What a shell sees: 1 when a worker crashed, 64 when it was started wrongly; 0 and 2 are stops.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

scene('1: an event that nobody can handle', async (one) => {
  await one.send(50)
  const worker = one.worker({ module: 'hooked-visits.ts', env: { HOOK: 'throw', HOOK_ID: '40' } })
  await worker.ends({ code: 1 })
  assert.match(worker.text, /this visit cannot be counted/)
  // What was done before it stays done, and the event is there for a mended app.
  await one.finish()
})

const mistakes: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['an option that is misspelt', { TAILRACE_COMMIT_INTERVALL: '1s' }, /TAILRACE_COMMIT_INTERVAL\b/],
  ['a value that is none', { TAILRACE_COMMIT_INTERVAL: 'often' }, /"often"/],
  ['a broker that is none', { TAILRACE_BROKER: 'embeded:log' }, /did you mean "embedded:"\?/],
  ['a kill point that is none', { TAILRACE_FAILPOINT: 'commit:1' }, /no kill point/]
]
for (const [name, env, said] of mistakes) {
  scene(`64: ${name}`, async (one) => {
    const worker = one.worker({ env })
    await worker.ends({ code: 64 })
    assert.match(worker.text, said)
    assert.doesNotMatch(worker.text, /^ +at /m, 'a mistake of the user has no stack of ours')
  })
}

scene('64: a module that throws', async (one) => {
  const module = '../../bin/tailrace.js'
  const args = ['-A', `${import.meta.dirname}/throwing-module.ts`, 'worker']
  const worker = one.worker({ module, args })
  await worker.ends({ code: 64 })
  assert.match(worker.text, /TAILRACE_CONFIG_APP_THREW[^]*the module of the app throws/)
})
