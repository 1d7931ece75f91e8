// A program that only sends ends by itself; one with a worker in it stops that at a signal.
import assert from 'node:assert/strict'
import { type Scene, scene } from './run.ts'
import type { WorkerProcess } from './worker-process.ts'

function program(one: Scene, name: string, ...args: string[]): WorkerProcess {
  return one.worker({ module: `../fixtures/${name}`, args })
}

scene('one that sends one record ends by itself, and the record is in the log', async (one) => {
  const sender = program(one, 'sender.ts')
  await sender.ends({ code: 0 })
  assert.equal(sender.text, 'sent 0\n')
})

scene('one that sends again after a while finds the log again', async (one) => {
  const sender = program(one, 'sender.ts', '--twice')
  await sender.ends({ code: 0 })
  assert.equal(sender.text, 'sent 0 and 1\n')
})

scene('with `signals: true` TERM stops the worker, then does what it always does', async (one) => {
  const worker = program(one, 'embedded-worker.ts')
  await worker.line(/^started$/m)
  worker.signal('SIGTERM')
  await worker.ends({ signal: 'SIGTERM' })
  assert.match(worker.text, /worker ended/)
})
