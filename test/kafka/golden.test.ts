// Keys and record batches as Java's own classes make them: ours must be the same, to the byte.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { goldenLines, goldenPath } from '../../scripts/kafka/golden.ts'
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import { murmur2, murmur2Partitioner } from '../../src/core/partitioner.ts'
import {
  BatchEncoder,
  batchHeader,
  headerAt,
  setAppendTime,
  setBaseOffset
} from '../../src/core/record-batch.ts'
import { decompressBatch } from '../../src/transport/kafka/decompress.ts'

interface GoldenKey {
  readonly key: string
  readonly murmur2: number
  readonly partitions: readonly (readonly [count: number, partition: number])[]
}

interface GoldenRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value?: string | null
  /** In place of a value: which letters, over how many bytes. */
  readonly pattern?: number
  readonly size?: number
  readonly headers: readonly (readonly [name: string, value: string | null])[]
}

interface GoldenBatch {
  readonly batch: string
  readonly baseOffset: number
  readonly leaderEpoch: number
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly isAppendTime: boolean
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  readonly marker?: 'COMMIT' | 'ABORT'
  readonly records: readonly GoldenRecord[]
  readonly bytes: string
}

const parsed = parse(readFileSync(goldenPath, 'utf8'))
const keys = parsed.filter((line) => 'key' in line)
const batches = parsed.filter((line) => 'batch' in line)

function parse(text: string): (GoldenKey | GoldenBatch)[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as GoldenKey | GoldenBatch)
}

function bytesOf(text: string | null | undefined): Buffer | null {
  return typeof text === 'string' ? Buffer.from(text, 'base64') : null
}

/** As `wide` of Golden.java. */
function patternOf(pattern: number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, at) => 97 + (((at >> 4) + pattern) % 20)))
}

function valueOf({ pattern, size, value }: GoldenRecord): Buffer | null {
  return pattern === undefined ? bytesOf(value) : patternOf(pattern, size ?? 0)
}

interface Row {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly { key: string; value: Uint8Array | null }[]
}

function rowsOf({ records }: GoldenBatch): Row[] {
  return records.map((record) => ({
    offset: record.offset,
    timestamp: record.timestamp,
    key: bytesOf(record.key),
    value: valueOf(record),
    headers: record.headers.map(([key, value]) => ({ key, value: bytesOf(value) }))
  }))
}

/** Copies: what a cursor shows are views. */
function rowsIn(bytes: Buffer): Row[] {
  const copy = (view: Uint8Array | null): Buffer | null =>
    view === null ? null : Buffer.from(view)
  const cursor = new BatchCursor()
  const rows: Row[] = []
  cursor.reset(bytes, 0)
  while (cursor.next()) {
    rows.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: copy(cursor.key()),
      value: copy(cursor.value()),
      headers: cursor.headers().map(({ key, value }) => ({ key, value: copy(value) }))
    })
  }
  return rows
}

/** What our encoder makes of a batch's records. */
function encoded(golden: GoldenBatch): Buffer {
  const encoder = new BatchEncoder()
  for (const { headers, key, offset, timestamp, value } of rowsOf(golden)) {
    encoder.appendAt(offset - golden.baseOffset, key, value, timestamp, headers)
  }
  const isIdempotent = golden.producerId >= 0
  const batch = encoder.finish({
    leaderEpoch: golden.leaderEpoch,
    isTransactional: golden.isTransactional,
    ...(isIdempotent && {
      producerId: BigInt(golden.producerId),
      producerEpoch: golden.producerEpoch,
      baseSequence: golden.baseSequence
    })
  })
  setBaseOffset(batch, golden.baseOffset)
  return batch
}

test('the goldens hold what they are for', () => {
  assert.ok(keys.length > 200, `${keys.length} keys`)
  for (const name of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const count = batches.filter(({ compression }) => compression === name).length
    assert.ok(count >= 3, `${count} batches of ${name}`)
  }
  assert.equal(batches.filter(({ marker }) => marker !== undefined).length, 2)
})

test("murmur2 and the partition of a key are Java's", () => {
  for (const golden of keys) {
    const key = Buffer.from(golden.key, 'base64')
    assert.equal(murmur2(key), golden.murmur2, golden.key)
    for (const [count, partition] of golden.partitions) {
      const ours = murmur2Partitioner.partition(key, count)
      assert.equal(ours, partition, `${golden.key} of ${count} partitions`)
    }
  }
})

for (const golden of batches) {
  const bytes = Buffer.from(golden.bytes, 'base64')
  const isPlain = golden.compression === 'none'

  test(`read: ${golden.batch}`, () => {
    const plain = isPlain ? bytes : decompressBatch(bytes, 0, { size: bytes.length })
    assert.deepEqual(rowsIn(plain), rowsOf(golden))
    const header = batchHeader(plain, 0)
    assert.equal(header.sizeBytes, plain.length)
    const { baseOffset, baseSequence, isAppendTime, isTransactional, leaderEpoch } = golden
    const { producerEpoch, producerId } = golden
    const expected = { baseOffset, baseSequence, isAppendTime, isTransactional, leaderEpoch }
    const isControl = golden.marker !== undefined
    assert.partialDeepStrictEqual(header, {
      ...expected,
      producerEpoch,
      producerId: BigInt(producerId),
      isControl,
      recordCount: isControl ? 1 : golden.records.length
    })
  })

  // A control record is the broker's to write, and compression nothing of ours.
  if (golden.marker !== undefined) continue
  test(`write: ${golden.batch}`, () => {
    const ours = encoded(golden)
    if (golden.isAppendTime) {
      // The log's stamp changes what is in the header, and the records keep their deltas.
      setAppendTime(ours, golden.records[0]?.timestamp ?? 0)
    }
    const theirs = isPlain ? bytes : decompressBatch(bytes, 0, { size: bytes.length })
    assert.deepEqual(rowsIn(ours), rowsIn(theirs))
    if (golden.isAppendTime) return
    assert.equal(ours.toString('hex'), theirs.toString('hex'))
  })
}

test('a damaged byte is seen, wherever it is', () => {
  for (const golden of batches.filter(({ records }) => records.length < 5)) {
    const bytes = Buffer.from(golden.bytes, 'base64')
    for (let at = headerAt.attributes; at < bytes.length; at++) {
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      const read = (): unknown =>
        golden.compression === 'none'
          ? rowsIn(bytes)
          : decompressBatch(bytes, 0, { size: bytes.length })
      assert.throws(read, { code: 'TAILRACE_TRANSPORT_CORRUPT' }, `${golden.batch} at ${at}`)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
    }
  }
})

test('the goldens are what the pinned Kafka says today', { timeout: 120_000 }, async () => {
  // Which bytes gzip makes is the JDK's choice, and those of the others their native libraries'.
  const withoutBytes = (lines: readonly (GoldenKey | GoldenBatch)[]): unknown[] =>
    lines.map((line) =>
      'batch' in line && line.compression !== 'none' ? { ...line, bytes: undefined } : line
    )
  assert.deepEqual(withoutBytes(parse(await goldenLines())), withoutBytes(parsed))
})
