// The Fetch messages byte for byte: what is asked, and what is read of an answer.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFetch } from './fetch-answer.ts'
import { encodeFetch } from './fetch-request.ts'
import { Reader, Writer } from './library.ts'
import { KafkaFailure } from './protocol-failure.ts'

const id = '0123456789abcdef0123456789abcdef'
const uuid = '01234567-89ab-cdef-0123-456789abcdef'

test('a request has every field where version 16 has it', () => {
  const bytes = encodeFetch({
    waitMaxMs: 500,
    bytesMax: 1_000,
    isReadCommitted: true,
    session: { id: 7, epoch: 3 },
    topics: [
      {
        topicId: id,
        partitions: [
          { partition: 4, leaderEpoch: 5, offset: 2 ** 40 + 1, lastFetchedEpoch: 6, bytesMax: 99 }
        ]
      }
    ],
    forgotten: [{ topicId: id, partitions: [1, 2] }],
    rack: 'north'
  })
  const reader = Reader.from(bytes)
  assert.deepEqual([reader.readInt32(), reader.readInt32(), reader.readInt32()], [500, 1, 1_000])
  assert.deepEqual([reader.readInt8(), reader.readInt32(), reader.readInt32()], [1, 7, 3])
  const topics = reader.readArray((r) => ({
    topic: r.readUUID(),
    partitions: r.readArray((p) => ({
      numbers: [p.readInt32(), p.readInt32()],
      offset: p.readInt64(),
      lastFetchedEpoch: p.readInt32(),
      logStart: p.readInt64(),
      bytesMax: p.readInt32()
    }))
  }))
  assert.deepEqual(topics, [
    {
      topic: uuid,
      partitions: [
        {
          numbers: [4, 5],
          offset: 2n ** 40n + 1n,
          lastFetchedEpoch: 6,
          logStart: -1n,
          bytesMax: 99
        }
      ]
    }
  ])
  const forgotten = reader.readArray((r) => [
    r.readUUID(),
    r.readArray((p) => p.readInt32(), true, false)
  ])
  assert.deepEqual(forgotten, [[uuid, [1, 2]]])
  assert.equal(reader.readString(), 'north')
  reader.readTaggedFields()
  assert.equal(reader.position, bytes.length)
})

test('a request of many partitions counts them in varints', () => {
  const ask = { leaderEpoch: 0, offset: 0, lastFetchedEpoch: -1, bytesMax: 1 }
  const partitions = Array.from({ length: 300 }, (_, partition) => ({ partition, ...ask }))
  const bytes = encodeFetch({
    waitMaxMs: 0,
    bytesMax: 1,
    isReadCommitted: false,
    session: { id: 0, epoch: 0 },
    topics: [{ topicId: id, partitions }],
    forgotten: [],
    rack: ''
  })
  // The head, one topic, its id, 301 in two bytes, the partitions, three ends, two empty fields.
  assert.equal(bytes.length, 21 + 1 + 16 + 2 + 300 * 33 + 1 + 1 + 1 + 1)
})

interface Tag {
  readonly id: number
  readonly bytes: Buffer
}

function appendTags(writer: Writer, tags: readonly Tag[]): Writer {
  writer.appendUnsignedVarInt(tags.length)
  for (const tag of tags) {
    writer.appendUnsignedVarInt(tag.id).appendUnsignedVarInt(tag.bytes.length)
    writer.append(tag.bytes)
  }
  return writer
}

const divergence = Writer.create().appendInt32(3).appendInt64(77n).appendUnsignedVarInt(0).buffer
const leader = Writer.create().appendInt32(2).appendInt32(9).appendUnsignedVarInt(0).buffer
const unknownTag = { id: 9, bytes: Buffer.from('later') }

function endpoints(): Buffer {
  const writer = Writer.create().appendUnsignedVarInt(2).appendInt32(2).appendString('host')
  return writer.appendInt32(9_092).appendString(null).appendUnsignedVarInt(0).buffer
}

function answerBytes(): Buffer {
  const writer = Writer.create().appendInt32(11).appendInt16(0).appendInt32(12)
  writer.appendUnsignedVarInt(2).appendUUID(uuid).appendUnsignedVarInt(3)
  writer.appendInt32(0).appendInt16(0).appendInt64(100n).appendInt64(90n).appendInt64(1n)
  writer
    .appendUnsignedVarInt(2)
    .appendInt64(2n ** 60n)
    .appendInt64(80n)
    .appendUnsignedVarInt(0)
  writer.appendInt32(-1).appendUnsignedVarInt(4).append(Buffer.from('abc'))
  appendTags(writer, [{ id: 0, bytes: divergence }, unknownTag])
  writer.appendInt32(1).appendInt16(6).appendInt64(-1n).appendInt64(-1n).appendInt64(-1n)
  writer.appendUnsignedVarInt(0).appendInt32(4).appendUnsignedVarInt(0)
  appendTags(writer, [{ id: 1, bytes: leader }])
  writer.appendUnsignedVarInt(0)
  appendTags(writer, [{ id: 0, bytes: endpoints() }, unknownTag])
  return writer.buffer
}

test('an answer is read to its end, with tags that later versions add passed over', () => {
  const body = answerBytes()
  const answer = decodeFetch(body)
  assert.deepEqual([answer.throttleMs, answer.errorCode, answer.sessionId], [11, 0, 12])
  assert.deepEqual(answer.endpoints, [{ broker: 2, host: 'host', port: 9_092 }])
  const [topic] = answer.topics
  assert.equal(topic?.topicId, id)
  const [first, second] = topic?.partitions ?? []
  assert.deepEqual(
    { ...first, records: first?.records.toString() },
    {
      partition: 0,
      errorCode: 0,
      highWatermark: 100,
      lastStableOffset: 90,
      aborted: [{ producerId: 2n ** 60n, firstOffset: 80 }],
      preferredReplica: -1,
      records: 'abc',
      divergesAt: 77,
      leader: undefined
    }
  )
  assert.equal(first?.records.buffer, body.buffer, 'records were copied')
  assert.deepEqual([second?.errorCode, second?.preferredReplica], [6, 4])
  assert.deepEqual(second?.leader, { broker: 2, leaderEpoch: 9 })
})

test('an answer cut off anywhere is refused, never read beyond its end', () => {
  const body = answerBytes()
  for (let size = 0; size < body.length; size++) {
    assert.throws(() => decodeFetch(Buffer.from(body.subarray(0, size))), KafkaFailure, `${size}`)
  }
})
