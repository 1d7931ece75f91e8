// The tables that a killed worker left, row by row: a store is never ahead of its changelogs.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createLevelStore } from '../../src/store/level.ts'
import { readTopic } from './log-reader.ts'
import type { SceneLog } from './logs.ts'

/** Each shard must hold what its changelog came to at its checkpoint. Nothing else has it open. */
export async function checkStore(log: SceneLog, directory: string): Promise<void> {
  const store = createLevelStore({ directory: join(directory, 'worker-0', 'tables') })
  await store.open({ app: log.names.app })
  try {
    for (const shard of await store.shards()) {
      const { partition, table } = shard
      const { offset: end } = store.checkpoint(shard) ?? { offset: 0 }
      const expected = new Map<string, string>()
      for (const one of await readTopic(log.transport, log.names.changelog(table))) {
        if (one.partition !== partition || one.offset >= end || one.key === null) continue
        if (one.value === null) expected.delete(hex(one.key))
        else expected.set(hex(one.key), hex(one.value))
      }
      const rows = await store.scan(shard, { limit: Number.MAX_SAFE_INTEGER })
      assert.deepEqual(
        new Map(rows.map(({ key, value }) => [hex(key), hex(value)])),
        expected,
        `the rows of ${table}/${partition}`
      )
    }
  } finally {
    await store.close()
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
