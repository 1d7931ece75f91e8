// The Fetch request as bytes (version 16): encoded by hand, as one is sent for every answer.

export const fetchKey = 1
/** Topics by id (13), no replica id (15), leader hints with addresses (16). Kafka 3.7 has it. */
export const fetchVersion = 16

/** Where a session stands (KIP-227); epoch 0 asks for a new one, -1 ends it. */
export interface SessionMark {
  readonly id: number
  readonly epoch: number
}

/** What is asked of one partition. */
export interface PartitionAsk {
  readonly partition: number
  readonly leaderEpoch: number
  readonly offset: number
  /** Epoch of the record before `offset`, to be checked against the log; -1 checks nothing. */
  readonly lastFetchedEpoch: number
  readonly bytesMax: number
}

/** Partitions of one topic; its id as 32 hex digits. */
export interface TopicPart<T> {
  readonly topicId: string
  readonly partitions: readonly T[]
}

export interface FetchAsk {
  readonly waitMaxMs: number
  readonly bytesMax: number
  readonly isReadCommitted: boolean
  readonly session: SessionMark
  readonly topics: readonly TopicPart<PartitionAsk>[]
  readonly forgotten: readonly TopicPart<number>[]
  /** Where this client is, so that a replica nearby may serve it (KIP-392); '' for anywhere. */
  readonly rack: string
}

const headBytes = 25
const partitionBytes = 33
const idBytes = 16
/** Of an array length: a varint of 32 bits. */
const countBytes = 5
const twoTo32 = 0x1_0000_0000

export function encodeFetch(ask: FetchAsk): Buffer {
  const rackBytes = Buffer.byteLength(ask.rack)
  const bytes = Buffer.allocUnsafe(sizeMax(ask) + rackBytes)
  bytes.writeInt32BE(ask.waitMaxMs, 0)
  // One byte is enough to answer: whoever waits for more waits longer.
  bytes.writeInt32BE(1, 4)
  bytes.writeInt32BE(ask.bytesMax, 8)
  bytes.writeInt8(ask.isReadCommitted ? 1 : 0, 12)
  bytes.writeInt32BE(ask.session.id, 13)
  bytes.writeInt32BE(ask.session.epoch, 17)
  let at = writeTopics(bytes, 21, ask.topics, writePartition)
  at = writeTopics(bytes, at, ask.forgotten, writeForgotten)
  at = writeCount(bytes, at, rackBytes + 1)
  at += bytes.write(ask.rack, at)
  bytes[at++] = 0
  return bytes.subarray(0, at)
}

function sizeMax({ topics, forgotten }: FetchAsk): number {
  let size = headBytes + 3 * countBytes
  for (const { partitions } of topics) {
    size += idBytes + countBytes + 1 + partitions.length * partitionBytes
  }
  for (const { partitions } of forgotten) {
    size += idBytes + countBytes + 1 + partitions.length * 4
  }
  return size
}

function writeTopics<T>(
  bytes: Buffer,
  start: number,
  topics: readonly TopicPart<T>[],
  write: (bytes: Buffer, at: number, partition: T) => number
): number {
  let at = writeCount(bytes, start, topics.length + 1)
  for (const { topicId, partitions } of topics) {
    at += bytes.write(topicId, at, idBytes, 'hex')
    at = writeCount(bytes, at, partitions.length + 1)
    for (const partition of partitions) at = write(bytes, at, partition)
    bytes[at++] = 0
  }
  return at
}

function writePartition(bytes: Buffer, at: number, ask: PartitionAsk): number {
  bytes.writeInt32BE(ask.partition, at)
  bytes.writeInt32BE(ask.leaderEpoch, at + 4)
  const high = Math.floor(ask.offset / twoTo32)
  bytes.writeInt32BE(high, at + 8)
  bytes.writeUInt32BE(ask.offset - high * twoTo32, at + 12)
  bytes.writeInt32BE(ask.lastFetchedEpoch, at + 16)
  // The start of the log is a follower's to say.
  bytes.fill(0xff, at + 20, at + 28)
  bytes.writeInt32BE(ask.bytesMax, at + 28)
  bytes[at + 32] = 0
  return at + partitionBytes
}

function writeForgotten(bytes: Buffer, at: number, partition: number): number {
  return bytes.writeInt32BE(partition, at)
}

function writeCount(bytes: Buffer, start: number, count: number): number {
  let rest = count
  let at = start
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
  bytes[at++] = rest
  return at
}
