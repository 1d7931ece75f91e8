// Data plane. Kafka's Produce request and its answer, versions 11 and 12, which differ in meaning
// only: with 12 the leader itself adds the partition to the transaction (KIP-890).

import { WireReader, WireWriter } from './produce-wire.ts'

export const produceKey = 0

/** One batch of a request: a partition stands in a request once. */
export interface ProduceEntry {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
}

export interface ProduceRequest {
  readonly transactionalId: string | null
  readonly timeoutMs: number
  readonly entries: readonly ProduceEntry[]
}

/** Every replica in sync has it: what no other setting promises. */
const acksOfAll = -1

/** The request's body in parts; the batches are parts as they are. */
export function encodeProduce(request: ProduceRequest): readonly Uint8Array[] {
  const topics = byTopic(request.entries)
  const parts: Uint8Array[] = []
  const writer = new WireWriter()
  writer.text(request.transactionalId).int16(acksOfAll).int32(request.timeoutMs)
  writer.varint(topics.size + 1)
  for (const [topic, entries] of topics) {
    writer.text(topic).varint(entries.length + 1)
    for (const { partition, bytes } of entries) {
      writer.int32(partition).varint(bytes.length + 1)
      parts.push(writer.take(), bytes)
      writer.end()
    }
    writer.end()
  }
  writer.end()
  parts.push(writer.take())
  return parts
}

function byTopic(entries: readonly ProduceEntry[]): ReadonlyMap<string, readonly ProduceEntry[]> {
  const topics = new Map<string, ProduceEntry[]>()
  for (const entry of entries) {
    const known = topics.get(entry.topic)
    if (known === undefined) topics.set(entry.topic, [entry])
    else known.push(entry)
  }
  return topics
}

/** What a broker says to one batch. */
export interface ProduceAnswer {
  readonly topic: string
  readonly partition: number
  readonly code: number
  readonly baseOffset: number
  /** The log's own stamp, or -1 where records keep theirs. */
  readonly appendTime: number
  readonly message: string | null
  /** Records that are refused by themselves, by their place in the batch (KIP-467). */
  readonly recordErrors: readonly { readonly index: number; readonly message: string | null }[]
}

/** @throws TAILRACE_TRANSPORT_CORRUPT */
export function decodeProduce(body: Buffer): readonly ProduceAnswer[] {
  const reader = new WireReader(body)
  const answers: ProduceAnswer[] = []
  reader.list(() => {
    const topic = reader.text() ?? ''
    reader.list(() => answers.push(answerOf(topic, reader)))
    reader.end()
  })
  return answers
}

function answerOf(topic: string, reader: WireReader): ProduceAnswer {
  const partition = reader.int32()
  const code = reader.int16()
  const baseOffset = reader.int64()
  const appendTime = reader.int64()
  // The log's first offset says nothing that is acted upon.
  reader.int64()
  const recordErrors = reader.list(() => {
    const index = reader.int32()
    const message = reader.text()
    reader.end()
    return { index, message }
  })
  const message = reader.text()
  // Who leads now (KIP-951) is left to the metadata, which is asked for anyway.
  reader.end()
  return { topic, partition, code, baseOffset, appendTime, message, recordErrors }
}
