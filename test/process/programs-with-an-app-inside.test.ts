// A program that only sends ends by itself; one with a worker in it stops that at a signal.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import { WorkerProcess } from './worker-process.ts'

const timeout = 120_000

async function program(t: TestContext, name: string, ...args: string[]): Promise<WorkerProcess> {
  const cwd = await mkdtemp(join(tmpdir(), 'tailrace-program-'))
  t.after(() => rm(cwd, { recursive: true, force: true }))
  const module = resolve(import.meta.dirname, '..', 'fixtures', name)
  const one = new WorkerProcess({ module, cwd, env: {}, args })
  t.after(() => one.putDown())
  return one
}

test('a program that sends one record ends by itself, and the record is in the log', {
  timeout
}, async (t) => {
  const one = await program(t, 'sender.ts')
  await one.ends({ code: 0 })
  assert.equal(one.text, 'sent 0\n')
})

test('a program that sends again after a while finds the log again', { timeout }, async (t) => {
  const one = await program(t, 'sender.ts', '--twice')
  await one.ends({ code: 0 })
  assert.equal(one.text, 'sent 0 and 1\n')
})

test('with `signals: true` TERM stops the worker, then does what it always does', {
  timeout
}, async (t) => {
  const one = await program(t, 'embedded-worker.ts')
  await one.line(/^started$/m)
  one.signal('SIGTERM')
  await one.ends({ signal: 'SIGTERM' })
  assert.match(one.text, /worker ended/)
})
