// An app that does not let itself be described ends the command with a reason, and leaves nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeApp, type Described } from './describe-app.ts'

const never = new AbortController().signal

function describedBy(script: string, signal = never, limitMs?: number): Promise<Described> {
  const args = ['--eval', script]
  return describeApp({ program: process.execPath, args, environment: process.env }, signal, limitMs)
}

const code = 'TAILRACE_SWARM_NOT_DESCRIBED'

test('an app that exits while it is imported', async () => {
  await assert.rejects(describedBy('process.exit(0)'), { code, message: /ended its process/ })
})

test('an app that is killed while it is imported', async () => {
  const kill = `process.kill(process.pid, 'SIGKILL')`
  await assert.rejects(describedBy(kill), { code, message: /was ended by SIGKILL/ })
})

test('an app that is never imported', async () => {
  const hang = 'setInterval(() => undefined, 1e6)'
  await assert.rejects(describedBy(hang, never, 500), { code, message: /within 500ms/ })
})

test('an app that said itself what is wrong', async () => {
  assert.deepEqual(await describedBy('process.exit(64)'), { code: 64 })
})

test('a stop ends also an app that does not listen to signals', async () => {
  const stop = new AbortController()
  const deaf = `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1e6)`
  const described = describedBy(deaf, stop.signal)
  setTimeout(() => stop.abort(), 300)
  assert.deepEqual(await described, { code: 0 })
})
