// The log's own work in the background: a failure is told once, and again after it had been well.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { Clock } from '../../port/clock.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { createEmbeddedTransport } from './index.ts'

/** A clock on which what is due in ten seconds runs when the test says so. */
function steppedClock(): { readonly clock: Clock; readonly step: () => Promise<void> } {
  let due: PromiseWithResolvers<() => void> = Promise.withResolvers()
  const clock: Clock = {
    now: () => realClock.now(),
    monotonic: () => realClock.monotonic(),
    turn: () => realClock.turn(),
    schedule: (delayMs, run) => {
      if (delayMs !== 10_000) return realClock.schedule(delayMs, run)
      due.resolve(run)
      return () => undefined
    }
  }
  // The next pass is scheduled when this one is over.
  const step = async (): Promise<void> => {
    const run = await due.promise
    due = Promise.withResolvers()
    run()
    await due.promise
  }
  return { clock, step }
}

test('a pass that fails is told once, and again after one that did not', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-maintain-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const { clock, step } = steppedClock()
  const told: unknown[] = []
  const transport = createEmbeddedTransport({
    directory,
    clock,
    onMaintenanceError: (error) => told.push(error)
  })
  await transport.open()
  t.after(() => transport.close())
  const settings = {
    cleanupPolicy: 'delete',
    retentionMs: 1_000,
    timestampType: 'create',
    extra: {}
  } as const
  await transport.admin().create([{ name: 'in', partitions: 1, replication: 1, settings }])
  const rename = (from: string, to: string): void => {
    const database = new DatabaseSync(join(directory, 'log.db'))
    database.exec(`ALTER TABLE ${from} RENAME TO ${to}`)
    database.close()
  }
  await step()
  assert.deepEqual(told, [])
  for (let round = 1; round <= 2; round++) {
    rename('segment', 'elsewhere')
    await step()
    await step()
    assert.equal(told.length, round)
    assert.match(String(told.at(-1)), /no such table: segment/)
    rename('elsewhere', 'segment')
    await step()
  }
})
