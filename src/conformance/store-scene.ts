// What a case of the store suite works with: a place of its own, an open store, short words.

import assert from 'node:assert/strict'
import type { ErrorCode } from '../core/errors.ts'
import { hasCode } from '../core/errors.ts'
import type { Checkpoint, ShardId, Store } from '../port/store.ts'

export interface StoreScene {
  /** Open, for the app `app`. */
  readonly store: Store
  /** One more store, not open, on the same place. */
  readonly make: () => Store
  /** Lets input and output have a turn. */
  readonly turn: () => Promise<void>
}

/** Writes rows, given as texts, in one batch. */
export async function put(
  store: Store,
  shard: ShardId,
  rows: Readonly<Record<string, string>>,
  checkpoint?: Checkpoint
): Promise<void> {
  const batch = store.batch()
  for (const [key, value] of Object.entries(rows)) batch.put(shard, bytesOf(key), bytesOf(value))
  if (checkpoint !== undefined) batch.checkpoint(shard, checkpoint)
  await batch.write()
}

/** Every row of a shard, as texts. */
export async function rowsOf(store: Store, shard: ShardId): Promise<Record<string, string>> {
  const rows = await store.scan(shard, { limit: 1_000_000 })
  return Object.fromEntries(rows.map(({ key, value }) => [textOf(key), textOf(value)]))
}

export function bytesOf(text: string): Buffer {
  return Buffer.from(text)
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString()
}

/** Keys whose order is that of the numbers. */
export function keyOf(index: number): string {
  return `key-${String(index).padStart(6, '0')}`
}

export async function failsWith(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(hasCode(error, code), `expected ${code}, got ${String(error)}`)
    return true
  })
}
