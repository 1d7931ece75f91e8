// Encoder and cursor against an independent, slow reference encoder of the format.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BatchCursor } from './batch-cursor.ts'
import { crc32c } from './crc32c.ts'
import { hasCode } from './errors.ts'
import type { RecordHeader } from './record-batch.ts'
import { BatchEncoder, batchHeader, setAppendTime, setBaseOffset } from './record-batch.ts'

interface Row {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestamp: number
  readonly headers: readonly RecordHeader[]
}

function row(key: string | null, value: string | null, timestamp = 1_000): Row {
  const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text))
  return { key: bytes(key), value: bytes(value), timestamp, headers: [] }
}

function varint(value: number): Buffer {
  let rest = BigInt(value) >= 0n ? BigInt(value) * 2n : -BigInt(value) * 2n - 1n
  const bytes: number[] = []
  do {
    const low = Number(rest % 128n)
    rest /= 128n
    bytes.push(rest > 0n ? low + 128 : low)
  } while (rest > 0n)
  return Buffer.from(bytes)
}

function field(content: Uint8Array | null): Buffer {
  return content === null ? varint(-1) : Buffer.concat([varint(content.length), content])
}

function int(bytes: number, value: bigint): Buffer {
  const buffer = Buffer.alloc(bytes)
  for (let i = 0; i < bytes; i++) {
    buffer[i] = Number((BigInt.asUintN(bytes * 8, value) >> BigInt(8 * (bytes - 1 - i))) & 255n)
  }
  return buffer
}

/** The format as KIP-98 describes it, field by field. */
function reference(rows: readonly Row[], baseOffset: number): Buffer {
  const first = rows[0]?.timestamp ?? 0
  const records = rows.map((record, index) => {
    const body = Buffer.concat([
      int(1, 0n),
      varint(record.timestamp - first),
      varint(index),
      field(record.key),
      field(record.value),
      varint(record.headers.length),
      ...record.headers.flatMap(({ key, value }) => [field(Buffer.from(key)), field(value)])
    ])
    return Buffer.concat([varint(body.length), body])
  })
  const checked = Buffer.concat([
    int(2, 0n),
    int(4, BigInt(rows.length - 1)),
    int(8, BigInt(first)),
    int(8, BigInt(Math.max(...rows.map((record) => record.timestamp)))),
    int(8, -1n),
    int(2, -1n),
    int(4, -1n),
    int(4, BigInt(rows.length)),
    ...records
  ])
  const length = 4 + 1 + 4 + checked.length
  const head = [int(8, BigInt(baseOffset)), int(4, BigInt(length)), int(4, 0n), int(1, 2n)]
  return Buffer.concat([...head, int(4, BigInt(crc32c(checked))), checked])
}

function encode(rows: readonly Row[], baseOffset = 0): Buffer {
  const encoder = new BatchEncoder()
  for (const { key, value, timestamp, headers } of rows) {
    encoder.append(key, value, timestamp, headers)
  }
  const size = encoder.sizeBytes
  const batch = encoder.finish()
  assert.equal(batch.length, size)
  setBaseOffset(batch, baseOffset)
  return batch
}

interface ReadRow extends Row {
  readonly offset: number
}

function read(bytes: Buffer, fromOffset = 0): ReadRow[] {
  const cursor = new BatchCursor()
  cursor.reset(bytes, fromOffset)
  const rows: ReadRow[] = []
  while (cursor.next()) {
    rows.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers()
    })
  }
  return rows
}

const anyBytes = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null })
const anyHeader = fc.record({ key: fc.string({ unit: 'grapheme' }), value: anyBytes })
const anyTimestamp = fc.oneof(
  fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
  fc.integer({ min: -1, max: 2 ** 52 })
)
const anyRow: fc.Arbitrary<Row> = fc.record({
  key: anyBytes,
  value: anyBytes,
  timestamp: anyTimestamp,
  headers: fc.array(anyHeader, { maxLength: 3 })
})
const anyRows = fc.array(anyRow, { minLength: 1, maxLength: 150 })
const anyOffset = fc.nat(2 ** 48)

function plain(rows: readonly Row[]): unknown {
  const array = (bytes: Uint8Array | null): unknown => (bytes === null ? null : [...bytes])
  return rows.map(({ key, value, timestamp, headers }) => ({
    key: array(key),
    value: array(value),
    timestamp,
    headers: headers.map((header) => [header.key, array(header.value)])
  }))
}

test('writes the bytes that the reference encoder writes', () => {
  fc.assert(
    fc.property(anyRows, anyOffset, (rows, offset) => {
      assert.deepEqual(encode(rows, offset), reference(rows, offset))
    })
  )
})

test('writes these bytes for one known record', () => {
  const batch = encode([
    { ...row('k', 'v', 1_700_000_000_000), headers: [{ key: 'h', value: null }] }
  ])
  const golden =
    '0000000000000000' +
    '0000003d' +
    '00000000' +
    '02' +
    'ecc46c11' +
    '0000' +
    '00000000' +
    '0000018bcfe56800' +
    '0000018bcfe56800' +
    'ffffffffffffffff' +
    'ffff' +
    'ffffffff' +
    '00000001' +
    '16' +
    '00' +
    '00' +
    '00' +
    '026b' +
    '0276' +
    '02' +
    '0268' +
    '01'
  assert.equal(batch.toString('hex'), golden)
})

test('reads back what was written, with offsets counted from the base', () => {
  fc.assert(
    fc.property(anyRows, anyOffset, (rows, offset) => {
      const back = read(encode(rows, offset))
      assert.deepEqual(plain(back), plain(rows))
      assert.deepEqual(
        back.map((record) => record.offset),
        rows.map((_, index) => offset + index)
      )
    })
  )
})

test('an encoder is used again after finish and after reset', () => {
  const encoder = new BatchEncoder({ bytesInitial: 1 })
  encoder.append(Buffer.alloc(10_000, 1), null, 5)
  const first = encoder.finish()
  encoder.append(null, Buffer.from('lost'), 6)
  encoder.reset()
  encoder.append(null, Buffer.from('b'), 7)
  const second = encoder.finish()
  assert.equal(read(first)[0]?.key?.length, 10_000)
  assert.deepEqual(plain(read(second)), plain([row(null, 'b', 7)]))
})

test('keeps null, empty and tombstone apart', () => {
  const rows = [row(null, null), row('', ''), row('k', null), row(null, 'v')]
  const cursor = new BatchCursor()
  cursor.reset(encode(rows), 0)
  const seen: unknown[] = []
  while (cursor.next()) seen.push([cursor.key()?.length, cursor.value()?.length])
  assert.deepEqual(seen, [
    [undefined, undefined],
    [0, 0],
    [1, undefined],
    [undefined, 1]
  ])
  assert.equal(cursor.headers(), cursor.headers(), 'no headers: one shared array')
})

test('begins in the middle of a batch, between batches and past the end', () => {
  const batches = [
    encode([row('a', '0'), row('b', '1'), row('c', '2')], 10),
    encode([row('d', '3')], 20)
  ]
  const bytes = Buffer.concat(batches)
  const keysFrom = (offset: number): string[] =>
    read(bytes, offset).map((record) => String(record.key))
  assert.deepEqual(keysFrom(0), ['a', 'b', 'c', 'd'])
  assert.deepEqual(keysFrom(11), ['b', 'c', 'd'])
  assert.deepEqual(keysFrom(13), ['d'])
  assert.deepEqual(keysFrom(21), [])
  assert.deepEqual(read(Buffer.alloc(0)), [])
})

test('a batch wholly below the start is not read, so its damage does not matter', () => {
  const damaged = encode([row('a', '0')], 10)
  damaged[damaged.length - 1] = 99
  assert.equal(read(Buffer.concat([damaged, encode([row('b', '1')], 11)]), 11).length, 1)
})

test('control batches are skipped', () => {
  const control = encode([row('a', '0')], 0)
  control.writeInt16BE(0b110000, 21)
  control.writeUInt32BE(crc32c(control, 21), 17)
  const bytes = Buffer.concat([control, encode([row('b', '1')], 1)])
  assert.deepEqual(
    read(bytes).map((record) => record.offset),
    [1]
  )
})

test('append time stamps every record and keeps the checksum right', () => {
  const batch = encode([row('a', '0', 5), row('b', '1', 9)], 3)
  setAppendTime(batch, 77)
  assert.deepEqual(
    read(batch).map((record) => record.timestamp),
    [77, 77]
  )
  assert.equal(batchHeader(batch, 0).isAppendTime, true)
})

test('deltas of its own and the last delta survive, as compaction needs', () => {
  const encoder = new BatchEncoder()
  encoder.appendAt(2, Buffer.from('a'), null, 1)
  encoder.appendAt(7, Buffer.from('b'), null, 2)
  const batch = encoder.finish({ lastOffsetDelta: 9, leaderEpoch: 4 })
  setBaseOffset(batch, 100, 5)
  assert.deepEqual(
    read(batch).map((record) => record.offset),
    [102, 107]
  )
  const { lastOffsetDelta, recordCount, leaderEpoch, baseOffset } = batchHeader(batch, 0)
  assert.deepEqual([baseOffset, lastOffsetDelta, recordCount, leaderEpoch], [100, 9, 2, 5])
})

test('the header holds what finish was given', () => {
  const encoder = new BatchEncoder()
  encoder.append(null, null, 50)
  encoder.append(null, null, 40)
  const options = { producerId: 7n, producerEpoch: 3, baseSequence: 12, isTransactional: true }
  const header = batchHeader(encoder.finish({ ...options, timestampType: 'append' }), 0)
  assert.equal(header.producerId, 7n)
  assert.deepEqual([header.producerEpoch, header.baseSequence], [3, 12])
  assert.deepEqual(
    [header.isTransactional, header.isAppendTime, header.isControl],
    [true, true, false]
  )
  assert.deepEqual([header.baseTimestamp, header.maxTimestamp], [50, 50])
})

function assertCorrupt(bytes: Buffer, message: RegExp): void {
  assert.throws(
    () => read(bytes),
    (error) => hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT') && message.test(error.message)
  )
}

test('bytes cut off at any place are refused, naming the offset', () => {
  const whole = encode(
    [row('key', 'value'), { ...row('a', 'b'), headers: [{ key: 'h', value: null }] }],
    41
  )
  for (let size = 1; size < whole.length; size++) {
    assertCorrupt(whole.subarray(0, size), size < 8 ? /unknown offset/ : /offset 41: .*cut off/)
  }
})

test('one changed byte behind the epoch is refused', () => {
  const whole = encode([row('key', 'value')], 41)
  for (let at = 16; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] = damaged[at]! ^ 0x10
    assertCorrupt(damaged, /offset 41/)
  }
})

test('records that contradict their batch are refused and never loop', () => {
  fc.assert(
    fc.property(anyRows, fc.nat(), fc.nat(255), (rows, where, byte) => {
      const batch = encode(rows, 41)
      batch[57 + (where % (batch.length - 57))] = byte
      batch.writeUInt32BE(crc32c(batch, 21), 17)
      try {
        assert.ok(read(batch).length <= batch.length)
      } catch (error) {
        assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT'), String(error))
      }
    })
  )
})

test('a compressed batch is refused with the reason', () => {
  const batch = encode([row('a', 'b')], 8)
  batch.writeInt16BE(2, 21)
  batch.writeUInt32BE(crc32c(batch, 21), 17)
  assertCorrupt(batch, /offset 8: it is compressed/)
})

test('a timestamp that is no whole number is refused when it is written', () => {
  const encoder = new BatchEncoder()
  assert.throws(() => encoder.append(null, null, Number.NaN), /timestamp NaN/)
  encoder.append(null, null, 1)
  assert.throws(() => encoder.append(null, null, 1.5), /cannot hold the number 0.5/)
})
