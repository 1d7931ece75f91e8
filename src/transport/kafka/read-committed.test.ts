// Which batches of an answer are handed out: the matrix of aborted and committed transactions.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchCursor } from '../../core/batch-cursor.ts'
import { hasCode } from '../../core/errors.ts'
import { attributeBits, BatchEncoder, headerAt, setBaseOffset } from '../../core/record-batch.ts'
import type { AbortedTransaction } from './fetch-answer.ts'
import { DeliverableRecords } from './read-committed.ts'

interface BatchParts {
  readonly offset: number
  readonly values: readonly string[]
  readonly producerId?: bigint
}

function batch({ offset, values, producerId }: BatchParts): Buffer {
  const encoder = new BatchEncoder()
  for (const value of values) encoder.append(null, Buffer.from(value), 1)
  const bytes =
    producerId === undefined
      ? encoder.finish()
      : encoder.finish({ producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true })
  setBaseOffset(bytes, offset, 3)
  return bytes
}

/** The marker that ends a transaction; its checksum is not looked at. */
function marker(offset: number, producerId: bigint, type: 'abort' | 'commit'): Buffer {
  const encoder = new BatchEncoder()
  const key = Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0])
  encoder.append(key, Buffer.alloc(6), 1)
  const bytes = encoder.finish({ producerId, producerEpoch: 0, isTransactional: true })
  const attributes = bytes.readInt16BE(headerAt.attributes)
  bytes.writeInt16BE(attributes | attributeBits.control, headerAt.attributes)
  setBaseOffset(bytes, offset, 3)
  return bytes
}

interface Scene {
  readonly batches: readonly Buffer[]
  readonly aborted?: readonly AbortedTransaction[]
  readonly position?: number
  readonly isReadCommitted?: boolean
}

function open({ batches, aborted = [], position = 0, isReadCommitted = true }: Scene) {
  const records = Buffer.concat(batches)
  return new DeliverableRecords({ records, position, aborted, isReadCommitted })
}

function valuesOf(bytes: Buffer, position: number): string {
  const cursor = new BatchCursor()
  cursor.reset(bytes, position)
  const values: string[] = []
  while (cursor.next()) values.push(cursor.value()?.toString() ?? '-')
  return values.join(' ')
}

function read(scene: Scene, bytesMax: number = 1_000_000): [values: string, next: number] {
  const records = open(scene)
  const values: string[] = []
  let position = scene.position ?? 0
  while (!records.isEmpty) {
    const portion = records.take(bytesMax)
    const found = valuesOf(portion.bytes, position)
    if (found !== '') values.push(found)
    position = portion.nextOffset
  }
  return [values.join(' '), position]
}

const [p, q] = [7n, 8n]

/** Aborted, committed, aborted again by the same producer, and another one's in between. */
const matrix: readonly Buffer[] = [
  batch({ offset: 0, values: ['A1', 'A2'], producerId: p }),
  marker(2, p, 'abort'),
  batch({ offset: 3, values: ['C1'], producerId: p }),
  batch({ offset: 4, values: ['Q1'], producerId: q }),
  batch({ offset: 5, values: ['plain'] }),
  marker(6, p, 'commit'),
  batch({ offset: 7, values: ['A3'], producerId: p }),
  batch({ offset: 8, values: ['Q2'], producerId: q }),
  marker(9, p, 'abort'),
  batch({ offset: 10, values: ['C2'], producerId: p }),
  marker(11, q, 'abort'),
  marker(12, p, 'commit')
]
/** In the order of their ends, as a broker gives them: not that of their begins. */
const abortedOfMatrix = [
  { producerId: p, firstOffset: 0 },
  { producerId: p, firstOffset: 7 },
  { producerId: q, firstOffset: 4 }
]

test('aborted transactions are left out, those of one producer each by itself', () => {
  for (const bytesMax of [1, 100, 300, 1_000_000]) {
    const scene = { batches: matrix, aborted: abortedOfMatrix }
    assert.deepEqual(read(scene, bytesMax), ['C1 plain C2', 13], `${bytesMax} at once`)
  }
})

test('reading may begin within an aborted transaction, and end before its marker', () => {
  const aborted = [{ producerId: q, firstOffset: 4 }]
  const within = { batches: matrix.slice(7, 8), aborted, position: 8 }
  assert.deepEqual(read(within), ['', 9])
})

test('read-uncommitted leaves out control batches alone', () => {
  const scene = { batches: matrix, isReadCommitted: false }
  assert.deepEqual(read(scene), ['A1 A2 C1 Q1 plain A3 Q2 C2', 13])
})

test('records of a producer outside of transactions are no part of what it aborted', () => {
  const plain = batch({ offset: 1, values: ['plain'] })
  plain.writeBigInt64BE(p, headerAt.producerId)
  plain.writeUInt32BE(0, headerAt.crc)
  const batches = [batch({ offset: 0, values: ['A'], producerId: p }), plain]
  const records = open({ batches, aborted: [{ producerId: p, firstOffset: 0 }] })
  assert.equal(records.take(1_000).bytes.length, plain.length)
})

test('nothing is copied where all is delivered', () => {
  const batches = [batch({ offset: 0, values: ['a'] }), batch({ offset: 1, values: ['b', 'c'] })]
  const records = Buffer.concat(batches)
  const part = { records, position: 0, aborted: [], isReadCommitted: true }
  const { bytes, nextOffset } = new DeliverableRecords(part).take(1_000)
  assert.equal(bytes.buffer, records.buffer)
  assert.deepEqual([bytes.byteOffset, bytes.length], [records.byteOffset, records.length])
  assert.equal(nextOffset, 3)
})

test('a batch that is cut off is left out, without progress', () => {
  const first = batch({ offset: 0, values: ['a'] })
  const second = batch({ offset: 1, values: ['b'.repeat(50)] })
  for (const size of [0, 5, 20, 60, second.length - 1]) {
    const records = open({ batches: [first, second.subarray(0, size)] })
    assert.equal(records.take(1_000).nextOffset, 1)
    assert.equal(records.isEmpty, true, `${size} bytes are left`)
  }
  const alone = open({ batches: [second.subarray(0, 70)], position: 1 })
  assert.deepEqual([alone.isEmpty, alone.take(10).nextOffset], [true, 1])
})

test('a portion keeps its limit, but for one batch that is larger', () => {
  const batches = [0, 1, 2].map((offset) => batch({ offset, values: ['x'.repeat(100)] }))
  const size = batches[0]?.length ?? 0
  const records = open({ batches })
  assert.equal(records.take(size * 2 + 1).bytes.length, size * 2)
  assert.equal(records.take(1).bytes.length, size)
  assert.equal(records.isEmpty, true)
})

test('batches below the position are passed, one that begins below is kept', () => {
  const batches = [batch({ offset: 0, values: ['a'] }), batch({ offset: 1, values: ['b', 'c'] })]
  assert.deepEqual(read({ batches, position: 2 }), ['c', 3])
})

test('the last batch passed says under which leader it was written', () => {
  const records = open({ batches: [batch({ offset: 0, values: ['a'] })] })
  assert.equal(records.leaderEpoch, -1)
  records.take(100)
  assert.equal(records.leaderEpoch, 3)
})

test('messages from before Kafka 0.11 are refused in words', () => {
  for (const magic of [0, 1]) {
    const old = Buffer.alloc(30)
    old.writeInt32BE(18, headerAt.length)
    old[headerAt.magic] = magic
    assert.throws(
      () => open({ batches: [old] }).take(100),
      new RegExp(`offset 0: it has message format ${magic}, from before Kafka 0.11`)
    )
  }
})

test('damage is met after what comes before it was handed out, and each time again', () => {
  const broken = batch({ offset: 1, values: ['b'] })
  broken.writeInt32BE(3, headerAt.length)
  const records = open({ batches: [batch({ offset: 0, values: ['a'] }), broken] })
  assert.equal(records.take(1_000).nextOffset, 1)
  for (let round = 0; round < 2; round++) {
    assert.throws(
      () => records.take(1_000),
      (error) => hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT') && error.context['offset'] === 1
    )
  }
})
