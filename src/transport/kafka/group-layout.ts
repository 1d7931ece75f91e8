// The bytes of Kafka's own consumer protocol: what group tools read of a member, and our user data
// inside it.

import type { TopicPartition } from '../../port/transport.ts'

/** What a member asks its group for. */
export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  readonly userData: Buffer
}

/** What a member was given. */
export interface GivenPartitions {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer
}

/** Version 1: the first with owned partitions; later ones only add what brokers do not need. */
const version = 1

export function encodeSubscription({ owned, topics, userData }: Subscription): Buffer {
  const parts = [int16(version), int32(topics.length), ...topics.map(text), ...bytes(userData)]
  return Buffer.concat([...parts, ...partitionParts(owned)])
}

export function encodeGiven({ partitions, userData }: GivenPartitions): Buffer {
  return Buffer.concat([int16(version), ...partitionParts(partitions), ...bytes(userData)])
}

/** The user data of a subscription; undefined where another kind of client wrote it. */
export function userDataOfSubscription(subscription: Buffer): Buffer | undefined {
  return readOrNothing(subscription, (reader) => {
    reader.skip(2)
    for (let left = reader.int32(); left > 0; left--) reader.text()
    return reader.bytes()
  })
}

/** The user data of an assignment; undefined where another kind of client wrote it. */
export function userDataOfGiven(assignment: Buffer): Buffer | undefined {
  return readOrNothing(assignment, (reader) => {
    reader.skip(2)
    for (let left = reader.int32(); left > 0; left--) {
      reader.text()
      reader.skip(4 * reader.int32())
    }
    return reader.bytes()
  })
}

function readOrNothing(
  buffer: Buffer,
  read: (reader: LayoutReader) => Buffer | undefined
): Buffer | undefined {
  try {
    return read(new LayoutReader(buffer))
  } catch (error) {
    // It ends before it should: not written by us.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

class LayoutReader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  skip(length: number): void {
    this.#at += length
  }

  int32(): number {
    const value = this.#buffer.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  text(): string {
    const length = this.#buffer.readInt16BE(this.#at)
    this.#at += 2
    return this.#take(length).toString()
  }

  bytes(): Buffer | undefined {
    const length = this.int32()
    return length < 0 ? undefined : this.#take(length)
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (length < 0 || end > this.#buffer.length) throw new RangeError('the layout is another')
    const taken = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

function partitionParts(partitions: readonly TopicPartition[]): Buffer[] {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const parts = [int32(byTopic.size)]
  for (const [topic, ofTopic] of [...byTopic].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const numbers = ofTopic.map(({ partition }) => partition).sort((a, b) => a - b)
    parts.push(text(topic), int32(numbers.length), ...numbers.map(int32))
  }
  return parts
}

function bytes(value: Buffer): Buffer[] {
  return [int32(value.length), value]
}

function text(value: string): Buffer {
  const utf8 = Buffer.from(value)
  return Buffer.concat([int16(utf8.length), utf8])
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2)
  buffer.writeInt16BE(value)
  return buffer
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}
