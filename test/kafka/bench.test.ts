// The bench runs on Kafka from a clone, and its result is right. What it reaches is nobody's
// business here; nor are the peers, which take longer to fetch and to start than all other tests.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testBroker } from './broker.ts'

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
const timeout = 420_000

// W4 fills a table, as W1 does, and restores it.
test('W4 is measured on Kafka', { timeout }, async ({ signal }) => {
  await using broker = await testBroker()
  const small = ['--runs', '1', '--events', '2000']
  const args = ['--conditions=tailrace-source', main, 'W4', '--broker', 'kafka', ...small]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAILRACE_TEST_KAFKA: broker.servers },
    signal
  })
  try {
    const ended = new Promise((resolve) => child.on('exit', resolve))
    child.on('error', () => undefined)
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.equal(await ended, 0, errors)
    const { ours } = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '')
    assert.ok(ours.recordsPerSecond.median > 0, output)
  } finally {
    child.kill()
  }
})
