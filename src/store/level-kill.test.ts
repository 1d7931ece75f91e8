// What a killed process leaves in level.ts: every row equal to the checkpoint written with it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Store } from '../port/store.ts'
import { createLevelStore } from './level.ts'

const app = 'kill'
const keyCount = 500
const kills = 12
const shards = [0, 1].map((partition) => ({ table: 'counts', partition }))

if (process.argv[2] === 'write') {
  await writeForever(process.argv[3] ?? '')
} else {
  test('after kill -9 all rows of a shard are those of its checkpoint', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'tailrace-kill-'))
    t.after(() => rm(directory, { recursive: true }))
    let reached = 0
    for (let kill = 0; kill < kills; kill += 1) {
      const acknowledged = await writeUntilKilled(directory, 20 + ((kill * 37) % 130))
      reached = await assertWhole(directory, { reached, acknowledged })
    }
    assert.ok(reached > kills, `batches were written: ${reached}`)
  })
}

/** Ends the writer in the middle of its work; gives the last batch it said was written. */
async function writeUntilKilled(directory: string, afterMs: number): Promise<number> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [import.meta.filename, 'write', directory], {
    env,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  child.stdout.on('data', (data) => {
    // The clock starts with the first batch: how long Node takes to start does not matter.
    if (output === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    output += String(data)
  })
  const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)))
  assert.equal(signal, 'SIGKILL')
  return Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
}

interface Progress {
  readonly reached: number
  readonly acknowledged: number
}

async function assertWhole(directory: string, progress: Progress): Promise<number> {
  const store = createLevelStore({ directory, memtableBytes: 64 * 1024 })
  await store.open({ app })
  const offset = store.checkpoint(shards[0] ?? assert.fail())?.offset ?? 0
  assert.ok(offset >= progress.reached && offset >= progress.acknowledged, 'nothing was lost')
  for (const shard of shards) {
    assert.equal(store.checkpoint(shard)?.offset, offset)
    const rows = await store.scan(shard, { limit: Infinity })
    assert.equal(rows.length, keyCount)
    for (const { value } of rows) assert.equal(Number(Buffer.from(value).toString()), offset)
  }
  await store.close()
  return offset
}

/** The writer: batch after batch, two under way, each sets every key to its own number. */
async function writeForever(directory: string): Promise<void> {
  // Small, so that kills also meet the change of logs and compactions.
  const store = createLevelStore({ directory, memtableBytes: 64 * 1024 })
  await store.open({ app })
  const first = (store.checkpoint(shards[0] ?? assert.fail())?.offset ?? 0) + 1
  let last = Promise.resolve()
  for (let number = first; ; number += 1) {
    const written = writeBatch(store, number)
    await last
    last = written
  }
}

async function writeBatch(store: Store, number: number): Promise<void> {
  const batch = store.batch()
  for (const shard of shards) {
    for (let key = 0; key < keyCount; key += 1) {
      batch.put(shard, Buffer.from(`key-${key}`), Buffer.from(String(number)))
    }
    batch.checkpoint(shard, { topicId: 'topic-1', offset: number, leaderEpoch: 0 })
  }
  await batch.write()
  process.stdout.write(`${number}\n`)
}
