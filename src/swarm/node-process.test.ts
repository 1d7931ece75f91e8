// What a supervisor hears of real processes, however they begin and end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FromNode } from '../host/node-messages.ts'
import { startNode } from './node-process.ts'

interface Heard {
  readonly messages: readonly unknown[]
  readonly code: number | null
}

function heardOf(args: readonly string[]): Promise<Heard> {
  const { promise, resolve } = Promise.withResolvers<Heard>()
  const messages: FromNode[] = []
  startNode(
    { program: process.execPath, args, environment: process.env },
    { id: 0, count: 1, supervisorPid: process.pid },
    {
      onMessage: (message) => messages.push(message),
      onFrame: () => undefined,
      onExit: (code) => resolve({ messages, code })
    }
  )
  return promise
}

test('every word of a node is heard, and none of what the app says to its parent', async () => {
  const said: readonly FromNode[] = [
    { kind: 'ready', tasks: 1, web: undefined },
    { kind: 'not-ready', reason: 'restoring' },
    { kind: 'failed', code: undefined, message: 'over' }
  ]
  const others = [{ kind: 'toString' }, { kind: 7 }, 'ready', { hello: 1 }]
  const sends = [...others, ...said].map((message) => `process.send(${JSON.stringify(message)});`)
  const script = `${sends.join('')} process.disconnect()`
  const { code, messages } = await heardOf(['--eval', script])
  assert.equal(code, 0)
  assert.deepEqual(messages, JSON.parse(JSON.stringify(said)))
})

test('a process that cannot be made has failed, and the supervisor has not', async () => {
  // More than any system takes.
  const { code, messages } = await heardOf(['--eval', 'x'.repeat(64_000_000)])
  assert.equal(code, null)
  assert.deepEqual(
    messages.map((message) => (message as FromNode).kind),
    ['failed']
  )
})
