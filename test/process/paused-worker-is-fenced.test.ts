// SIGSTOP beyond the session: the tasks move; after CONT nothing of the sleeper's is taken.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Scene, scene } from './run.ts'
import type { WorkerProcess } from './worker-process.ts'

/**
 * Stops a worker outside any write: one that sleeps inside a write holds the log's lock, which
 * the docs say, and shows by nobody else getting on.
 */
async function pauseOutsideWrites(one: Scene, worker: WorkerProcess): Promise<void> {
  for (;;) {
    worker.signal('SIGSTOP')
    const sent = one.send(1).then(() => true)
    if (await Promise.race([sent, sleep(1_000, false)])) return
    worker.signal('SIGCONT')
    await sent
  }
}

scene('with finished records that it had not committed', async (one) => {
  await one.send(400)
  // Its next commit is far away, so that what it did is still its own when it is stopped.
  const env = { TAILRACE_COMMIT_INTERVAL: '2s', HOOK: 'wait', HOOK_MS: '300', HOOK_ID: '390' }
  const sleeper = one.worker({ data: 'sleeper', module: 'hooked-visits.ts', env })
  await sleeper.line(/hook begins/)
  await pauseOutsideWrites(one, sleeper)
  const other = await one.worker({ data: 'other' }).started()
  await one.send(200)
  await one.settled()

  sleeper.signal('SIGCONT')
  await sleeper.line(/given this worker up|owned by another worker/)
  await one.send(200)
  await one.settled()
  assert.ok(!sleeper.hasEnded, 'it rejoins and goes on')
  await other.stop()
  await one.send(200)
  // Alone again it must have taken everything back.
  await one.settled()
  await sleeper.stop()
  await one.verify({ data: ['sleeper', 'other'] })
})
