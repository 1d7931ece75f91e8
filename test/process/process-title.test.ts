// What `ps` shows: which app a process works for.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { scene } from './run.ts'

scene('the title is `tailrace <app> worker`', async (one) => {
  const worker = await one.worker().started()
  const shown = execFileSync('ps', ['-o', 'args=', '-p', String(worker.pid)], { encoding: 'utf8' })
  assert.equal(shown.trim(), `tailrace ${one.names.app} worker`)
  await worker.stop()
})
