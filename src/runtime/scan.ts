// All rows of a shard in row order: pages of the store with the cache's newer rows laid over them.
import { decode, validateNow } from '../core/schema.ts'
import type { StoreRow } from '../port/store.ts'
import { windowBound, windowBytes, windowStartOf } from './changelog.ts'
import { absent, type Entry } from './entry.ts'
import type { Shard } from './shard.ts'

export interface ScannedRow {
  readonly key: unknown
  readonly windowStart: number
  readonly value: unknown
}

export interface ScanView {
  /** Which state of a cached row the reader sees. */
  readonly valueOf: (entry: Entry) => unknown
  /** Windows that start before this are hidden. */
  readonly horizon: number
}

const pageRows = 500

interface Overlay {
  readonly rowKey: Buffer
  readonly held: unknown
}

/** Rows that the reader sees at the time of the call; later writes may or may not be among them. */
export async function* scanRows(shard: Shard, view: ScanView): AsyncGenerator<ScannedRow> {
  const overlay = overlayOf(shard, view)
  const isWindowed = shard.table.window !== undefined
  const start = isWindowed ? windowBound(view.horizon) : undefined
  let from: Uint8Array | undefined = start
  let next = start === undefined ? 0 : overlay.findIndex((row) => row.rowKey.compare(start) >= 0)
  if (next < 0) next = overlay.length
  const { store } = shard
  for (;;) {
    const page = await store.scan(shard.id, { limit: pageRows, ...(from && { from }) })
    for (const row of page) {
      const rowKey = bufferOf(row.key)
      let isCovered = false
      for (; next < overlay.length; next++) {
        const newer = overlay[next] as Overlay
        const order = newer.rowKey.compare(rowKey)
        if (order > 0) break
        isCovered ||= order === 0
        if (newer.held !== absent) yield scanned(shard, newer.rowKey, shard.reveal(newer.held))
      }
      if (!isCovered) yield scanned(shard, rowKey, shard.reveal(shard.decodeRow(row.value)))
    }
    const last = page.at(-1)
    if (last === undefined || page.length < pageRows) break
    from = after(last)
  }
  for (; next < overlay.length; next++) {
    const row = overlay[next] as Overlay
    if (row.held !== absent) yield scanned(shard, row.rowKey, shard.reveal(row.held))
  }
}

// The store is behind for every row that is dirty, committing or pending.
function overlayOf(shard: Shard, view: ScanView): Overlay[] {
  const rows: Overlay[] = []
  for (const entry of shard.cache.unstored()) {
    const rowKey = bufferOf(shard.rowKey(entry.windowStart, shard.keyBytesOf(entry)))
    rows.push({ rowKey, held: view.valueOf(entry) })
  }
  return rows.sort((a, b) => a.rowKey.compare(b.rowKey))
}

function scanned(shard: Shard, rowKey: Buffer, value: unknown): ScannedRow {
  const isWindowed = shard.table.window !== undefined
  const slot = shard.table.key
  const where = `a key of table "${shard.table.name}"`
  const bytes = isWindowed ? rowKey.subarray(windowBytes) : rowKey
  const key = validateNow(slot, decode(slot, bytes, where), where)
  return { key, windowStart: isWindowed ? windowStartOf(rowKey) : 0, value }
}

function after(row: StoreRow): Uint8Array {
  return Buffer.concat([row.key, Buffer.from([0])])
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
