// The requests of a producer's identity and transactions, as Kafka 3.9 and later speak them.

import type { TopicPartition } from '../../port/transport.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import { WireReader, WireWriter } from './produce-wire.ts'

/** Keys of the requests, and the versions used. */
export const requests = {
  initProducerId: { key: 22, version: 4 },
  addPartitions: { key: 24, version: 3 },
  addOffsets: { key: 25, version: 3 },
  /** With 5 the coordinator adds the group to the transaction by itself (KIP-890). */
  commitOffsets: { key: 28, version: 4, versionImplicit: 5 },
  /** With 5 the answer carries the identity for the next transaction (KIP-890). */
  end: { key: 26, version: 4, versionRenewing: 5 }
} as const

/** Nobody yet: the broker gives an identity, and fences whoever had the id before. */
export const nobody: ProducerIdentity = { id: -1n, epoch: -1 }

export function encodeInitProducerId(request: {
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  readonly identity: ProducerIdentity
}): Buffer {
  const { identity, transactionTimeoutMs, transactionalId } = request
  return new WireWriter()
    .text(transactionalId)
    .int32(transactionTimeoutMs)
    .bigint64(identity.id)
    .int16(identity.epoch)
    .end()
    .take()
}

/** An answer of one code, and of the identity where it has one. */
export interface IdentityAnswer {
  readonly code: number
  readonly identity: ProducerIdentity
}

/** Of InitProducerId, and of EndTxn from version 5 on. */
export function decodeIdentity(body: Buffer): IdentityAnswer {
  const reader = new WireReader(body)
  reader.int32()
  const code = reader.int16()
  const id = reader.bigint64()
  return { code, identity: { id, epoch: reader.int16() } }
}

/** Of AddOffsetsToTxn and EndTxn. */
export function decodeCode(body: Buffer): number {
  const reader = new WireReader(body)
  reader.int32()
  return reader.int16()
}

/** Who asks for something within a transaction. */
export interface TransactionRef {
  readonly transactionalId: string
  readonly identity: ProducerIdentity
}

function begin({ identity, transactionalId }: TransactionRef): WireWriter {
  return new WireWriter().text(transactionalId).bigint64(identity.id).int16(identity.epoch)
}

export function encodeAddPartitions(
  ref: TransactionRef,
  partitions: readonly TopicPartition[]
): Buffer {
  const writer = begin(ref)
  writer.list([...byTopic(partitions)], ([topic, ofTopic]) => {
    writer
      .text(topic)
      .list(ofTopic, ({ partition }) => writer.int32(partition))
      .end()
  })
  return writer.end().take()
}

/** What was said to one partition of a request. */
export interface PartitionCode extends TopicPartition {
  readonly code: number
}

/** Of AddPartitionsToTxn, TxnOffsetCommit and OffsetCommit, which have the same form. */
export function decodePartitionCodes(body: Buffer): readonly PartitionCode[] {
  const reader = new WireReader(body)
  const codes: PartitionCode[] = []
  reader.int32()
  reader.list(() => {
    const topic = reader.text() ?? ''
    reader.list(() => {
      codes.push({ topic, partition: reader.int32(), code: reader.int16() })
      reader.end()
    })
    reader.end()
  })
  return codes
}

export function encodeAddOffsets(ref: TransactionRef, group: string): Buffer {
  return begin(ref).text(group).end().take()
}

export function encodeEnd(ref: TransactionRef, isCommit: boolean): Buffer {
  return begin(ref).boolean(isCommit).end().take()
}

/** In the order in which topics are met. */
export function byTopic<T extends TopicPartition>(
  partitions: readonly T[]
): ReadonlyMap<string, readonly T[]> {
  const topics = new Map<string, T[]>()
  for (const one of partitions) {
    const known = topics.get(one.topic)
    if (known === undefined) topics.set(one.topic, [one])
    else known.push(one)
  }
  return topics
}
