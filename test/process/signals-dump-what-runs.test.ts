// USR1 and TTIN: a running worker says what it works on, and works on.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

for (const signal of ['SIGUSR1', 'SIGTTIN'] as const) {
  scene(`${signal} dumps tasks and the open event with its age`, async (one) => {
    await one.send(50)
    const env = { HOOK: 'wait', HOOK_MS: '1500', HOOK_ID: '40' }
    const worker = one.worker({ module: 'hooked-visits.ts', env })
    await worker.line(/hook begins/)
    worker.signal(signal)
    await worker.line(
      /works on "visits\S*-repartition" partition \d offset \d+ in agent "count", \d+ ms$/m
    )
    await worker.line(/^ +\S+\/\d: running, lag \d+, \d+ finished/m)
    await worker.line(/commits \d+/)
    await one.settled()
    assert.ok(!worker.hasEnded)
    assert.doesNotMatch(worker.text, /Debugger|inspector/i, "USR1 is not Node's here")
    await worker.stop()
    await one.verify()
  })
}
