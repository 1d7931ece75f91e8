// The comparison on Kafka runs from a clone: ours and the repository's workload on Kafka Streams,
// both with the right result. What they reach is nobody's business here.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testBroker } from './broker.ts'

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
// Seconds where the jars are there; a machine that has none fetches those of Kafka Streams.
const timeout = 420_000

// W4 fills a table, as W1 does, and restores it.
test('W4 is measured beside Kafka Streams', { timeout }, async ({ signal }) => {
  await using broker = await testBroker()
  const small = ['--runs', '1', '--events', '2000', '--peers', 'ks']
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
    const { ours, peers, ratios } = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '')
    const name = 'recordsPerSecond'
    assert.ok(ours[name].median > 0 && peers.ks[name].median > 0 && ratios.ks[name] > 0, output)
  } finally {
    child.kill()
  }
})
