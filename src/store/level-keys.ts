// How rows, checkpoints and the meta row share one LevelDB: the layout of its keys.
//
//   00                                            meta row
//   01 | name length, 2 B | name | partition, 4 B          checkpoint of a shard
//   02 | name length, 2 B | name | partition, 4 B | key    row of a shard
//
// Numbers are big-endian. The length comes before the name, so no shard's prefix is the beginning
// of another's: the rows of one shard are one contiguous range in the order of the user's keys.

import { brokenInvariant } from '../core/errors.ts'
import type { ShardId } from '../port/store.ts'

export const metaKey: Uint8Array = Uint8Array.of(0)
export const checkpointSpace: KeyRange = { gte: Uint8Array.of(1), lt: Uint8Array.of(2) }
export const rowSpace: KeyRange = { gte: Uint8Array.of(2), lt: Uint8Array.of(3) }

export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** Makes the LevelDB keys of one shard. */
export class ShardKeys {
  readonly shard: ShardId
  readonly checkpoint: Uint8Array
  /** All rows of the shard. */
  readonly rows: KeyRange
  readonly #prefixLength: number
  readonly #scratch: Uint8Array
  readonly #views: (Uint8Array | undefined)[] = []

  constructor(shard: ShardId) {
    this.shard = { table: shard.table, partition: shard.partition }
    this.checkpoint = shardPrefix(1, shard)
    const prefix = shardPrefix(2, shard)
    this.rows = { gte: prefix, lt: after(prefix) }
    this.#prefixLength = prefix.length
    this.#scratch = new Uint8Array(prefix.length + scratchKeyMax)
    this.#scratch.set(prefix)
  }

  /**
   * The key of a row, good until the next call: LevelDB copies it before it returns.
   *
   * One buffer with a view for each length costs 20 ns a key; a fresh buffer costs 60.
   */
  row(key: Uint8Array): Uint8Array {
    const length = key.length
    if (length > scratchKeyMax) return this.rowCopy(key)
    this.#scratch.set(key, this.#prefixLength)
    const view = this.#views[length]
    if (view !== undefined) return view
    const fresh = this.#scratch.subarray(0, this.#prefixLength + length)
    this.#views[length] = fresh
    return fresh
  }

  /** The key of a row in memory of its own. */
  rowCopy(key: Uint8Array): Uint8Array {
    return Buffer.concat([this.rows.gte, key])
  }

  /** The user's part of a row's key. */
  userKey(rowKey: Uint8Array): Uint8Array {
    return rowKey.subarray(this.#prefixLength)
  }
}

const scratchKeyMax = 256
const nameLengthMax = 0xffff
const partitionMax = 0xffffffff

/** The shard of a checkpoint's or row's key; `undefined` when the bytes are not of this layout. */
export function shardOf(bytes: Uint8Array): ShardId | undefined {
  if (bytes.length < 3) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const nameEnd = 3 + view.getUint16(1)
  if (bytes.length < nameEnd + 4) return undefined
  const table = Buffer.from(bytes.subarray(3, nameEnd)).toString('utf8')
  return { table, partition: view.getUint32(nameEnd) }
}

function shardPrefix(space: number, { table, partition }: ShardId): Uint8Array {
  const name = Buffer.from(table, 'utf8')
  if (name.length > nameLengthMax) {
    throw brokenInvariant(`table name is too long: ${table.slice(0, 100)}…`)
  }
  if (!Number.isInteger(partition) || partition < 0 || partition > partitionMax) {
    throw brokenInvariant(`partition of table "${table}" is not a number of 32 bits: ${partition}`)
  }
  const prefix = new Uint8Array(1 + 2 + name.length + 4)
  const view = new DataView(prefix.buffer)
  view.setUint8(0, space)
  view.setUint16(1, name.length)
  prefix.set(name, 3)
  view.setUint32(3 + name.length, partition)
  return prefix
}

/** The first key after all keys that begin with `prefix`, whose first byte is never 255. */
function after(prefix: Uint8Array): Uint8Array {
  let length = prefix.length
  while (prefix[length - 1] === 0xff) length -= 1
  const end = prefix.slice(0, length)
  end[length - 1] = (end[length - 1] ?? 0) + 1
  return end
}
