// What a node ends with when its supervisor is gone, seen by one who is: this test starts it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { root } from '../house/source.ts'
import { swarmScene } from './scene.ts'

swarmScene('the channel closes: code 3, without a stop', async (scene) => {
  const place = { id: 0, count: 1, supervisorPid: process.pid }
  const module = join(import.meta.dirname, 'jobs.ts:app')
  const node = spawn(process.execPath, [join(root, 'bin', 'tailrace.js'), '-A', module, 'worker'], {
    cwd: scene.directory,
    env: {
      PATH: process.env['PATH'],
      TAILRACE_BROKER: scene.log.broker,
      TAILRACE_DATADIR: scene.directory,
      TAILRACE_NODE_PLACE: JSON.stringify(place)
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe']
  })
  const exited = once(node, 'exit')
  let text = ''
  node.stderr?.on('data', (bytes: Buffer) => (text += bytes.toString()))
  await once(node, 'message')
  node.disconnect()
  assert.deepEqual(await exited, [3, null], text)
  assert.doesNotMatch(text, /the worker stops/)
})

swarmScene('it is not the child of who is named: code 3, at once', async (scene) => {
  const place = { id: 0, count: 1, supervisorPid: 1 }
  const module = join(import.meta.dirname, 'jobs.ts:app')
  const node = spawn(process.execPath, [join(root, 'bin', 'tailrace.js'), '-A', module, 'worker'], {
    cwd: scene.directory,
    env: { PATH: process.env['PATH'], TAILRACE_NODE_PLACE: JSON.stringify(place) },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe']
  })
  assert.deepEqual(await once(node, 'exit'), [3, null])
})
