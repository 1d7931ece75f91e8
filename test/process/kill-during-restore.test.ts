// A worker killed while it restores its tables: the next one goes on, and is killed again.
import { rm } from 'node:fs/promises'
import { scene, type Scene } from './run.ts'

async function restoreKilledAt(one: Scene, counts: readonly number[]): Promise<void> {
  await one.send(3_000)
  const first = await one.worker().started()
  await one.settled()
  await first.stop()
  await rm(one.place('data'), { recursive: true })
  await one.send(500)
  for (const n of counts) {
    await one.worker({ failpoint: `restore.batch:${n}` }).ends({ signal: 'SIGKILL' })
  }
  await one.finish()
}

scene('killed at the first part of a restore', (one) => restoreKilledAt(one, [1]))
scene('killed at a later part', (one) => restoreKilledAt(one, [5]))
scene('killed three times in a row', (one) => restoreKilledAt(one, [3, 2, 2]))
