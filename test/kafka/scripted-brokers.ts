// Brokers made of a few maps, under a virtual clock: they take batches as Kafka does, each once and
// in order, and lose, refuse or hold what a test tells them to.
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import { TailraceError } from '../../src/core/errors.ts'
import { batchHeader } from '../../src/core/record-batch.ts'
import type { Clock } from '../../src/port/clock.ts'
import type { TopicPartition } from '../../src/port/transport.ts'
import type {
  Leader,
  ProduceCluster,
  ProduceLink
} from '../../src/transport/kafka/produce-cluster.ts'
import { WireReader, WireWriter } from '../../src/transport/kafka/produce-wire.ts'
import { KafkaFailure, local } from '../../src/transport/kafka/protocol-failure.ts'

/** A request as the script sees it. */
export interface Asked {
  readonly broker: number
  readonly key: number
  readonly version: number
  readonly body: Buffer
  /** How many of this key came before. */
  readonly count: number
}

/** What becomes of a request; a number is the error code that every part of it is answered with. */
export type Fate = 'pass' | 'lose-request' | 'lose-answer' | number

export type Script = (asked: Asked) => Fate

interface ProducerState {
  epoch: number
  last: number
  readonly batches: { readonly first: number; readonly offset: number }[]
}

/** One partition of the log. */
export class ScriptedPartition {
  readonly values: string[] = []
  /** Values of each batch that was taken, and the epoch it was of. */
  readonly batches: {
    readonly epoch: number
    readonly sequence: number
    readonly count: number
  }[] = []
  leader = 0
  bytesMax: number = Number.POSITIVE_INFINITY
  readonly #producers = new Map<bigint, ProducerState>()

  /** Forgets its producers, as a log does whose records were deleted. */
  forget(): void {
    this.#producers.clear()
  }

  /** Answers a code and the offset. */
  append(bytes: Buffer): { readonly code: number; readonly offset: number } {
    if (bytes.length > this.bytesMax) return { code: 10, offset: -1 }
    const header = batchHeader(bytes, 0)
    const { baseSequence: first, producerEpoch: epoch, producerId, recordCount } = header
    const state = this.#producers.get(producerId)
    const known =
      state?.epoch === epoch ? state.batches.find((one) => one.first === first) : undefined
    if (known !== undefined) return { code: 0, offset: known.offset }
    const code = state === undefined ? 0 : sequenceCode(state, epoch, first)
    if (code !== 0) return { code, offset: -1 }
    const offset = this.values.length
    const cursor = new BatchCursor()
    cursor.reset(bytes, 0)
    while (cursor.next()) this.values.push(cursor.value()?.toString() ?? '')
    const last = (first + recordCount - 1) % 2 ** 31
    const before = state?.epoch === epoch ? state.batches.slice(-4) : []
    this.#producers.set(producerId, { epoch, last, batches: [...before, { first, offset }] })
    this.batches.push({ epoch, sequence: first, count: recordCount })
    return { code: 0, offset }
  }
}

function sequenceCode(state: ProducerState, epoch: number, first: number): number {
  if (epoch < state.epoch) return 47
  const expected = epoch > state.epoch ? 0 : (state.last + 1) % 2 ** 31
  return first === expected ? 0 : 45
}

export class ScriptedBrokers implements ProduceCluster {
  script: Script = () => 'pass'
  readonly asked: Asked[] = []
  readonly clock: Clock
  /** How long one request takes. */
  latencyMs = 1
  /** Answers every request that is not a Produce. */
  answerOther: (asked: Asked, code: number) => Buffer = (asked) => {
    throw new Error(`request ${asked.key} was not expected`)
  }
  readonly features = new Map([['transaction.version', 2]])
  readonly #partitions = new Map<string, ScriptedPartition>()
  readonly #links = new Map<string, ScriptedLink>()
  readonly #cached = new Map<string, number>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** The partition, made where it is not there yet. */
  partition(topic: string, partition: number): ScriptedPartition {
    const name = `${partition}/${topic}`
    const known = this.#partitions.get(name)
    if (known !== undefined) return known
    const made = new ScriptedPartition()
    this.#partitions.set(name, made)
    return made
  }

  count(key: number): number {
    return this.asked.filter((one) => one.key === key).length
  }

  async link(broker: number, purpose: string): Promise<ProduceLink> {
    const name = `${broker}/${purpose}`
    const known = this.#links.get(name)
    if (known?.isOpen === true) return known
    const made = new ScriptedLink(this, broker)
    this.#links.set(name, made)
    return made
  }

  any(purpose: string): Promise<ProduceLink> {
    return this.link(0, purpose)
  }

  coordinator(_kind: string, _key: string, purpose: string): Promise<ProduceLink> {
    return this.link(0, purpose)
  }

  forgetCoordinator(): void {}

  async leader({ topic, partition }: TopicPartition): Promise<Leader> {
    const name = `${partition}/${topic}`
    const found = this.#partitions.get(name)
    if (found === undefined) {
      throw new TailraceError('TAILRACE_TRANSPORT_UNKNOWN_TOPIC', `${name} does not exist`, {
        isDefinite: true
      })
    }
    const broker = this.#cached.get(name) ?? found.leader
    this.#cached.set(name, broker)
    return { broker, leaderEpoch: 3 }
  }

  outdated(topics: readonly string[]): void {
    for (const name of this.#cached.keys()) {
      if (topics.some((topic) => name.endsWith(`/${topic}`))) this.#cached.delete(name)
    }
  }

  answer(asked: Asked, code: number): Buffer {
    return asked.key === 0 ? this.#produce(asked, code) : this.answerOther(asked, code)
  }

  #produce({ body, broker }: Asked, code: number): Buffer {
    const writer = new WireWriter()
    const topics = readProduce(body)
    writer.list(topics, ({ topic, entries }) => {
      writer.text(topic)
      writer.list(entries, ({ partition, bytes }) => {
        const log = this.#partitions.get(`${partition}/${topic}`)
        const refusal = code !== 0 ? code : log === undefined ? 3 : log.leader === broker ? 0 : 6
        const { code: said, offset } =
          refusal === 0 && log !== undefined ? log.append(bytes) : { code: refusal, offset: -1 }
        writer.int32(partition).int16(said).int64(offset).int64(-1).int64(0)
        writer.list([], () => undefined).text(null)
        writer.end()
      })
      writer.end()
    })
    return writer.int32(0).end().take()
  }
}

/** The answer to who asks for `max.message.bytes`. */
export function limitAnswer(bytesMax: number): Buffer {
  const writer = new WireWriter().int32(0)
  writer.list(['t'], (topic) => {
    writer.int16(0).text(null).int8(2).text(topic)
    writer.list(['max.message.bytes'], (name) => {
      writer.text(name).text(`${bytesMax}`).boolean(false).int8(1).boolean(false)
      writer.list([], () => undefined)
      writer.int8(3).text(null).end()
    })
    writer.end()
  })
  return writer.end().take()
}

interface ProducedTopic {
  readonly topic: string
  readonly entries: readonly { readonly partition: number; readonly bytes: Buffer }[]
}

/** What a Produce request holds. */
export function readProduce(body: Buffer): readonly ProducedTopic[] {
  const reader = new WireReader(body)
  reader.text()
  reader.int16()
  reader.int32()
  return reader.list(() => {
    const topic = reader.text() ?? ''
    const entries = reader.list(() => {
      const partition = reader.int32()
      const bytes = reader.bytes(reader.varint() - 1)
      reader.end()
      return { partition, bytes }
    })
    reader.end()
    return { topic, entries }
  })
}

interface Waiting {
  readonly resolve: (answer: Buffer) => void
  readonly reject: (error: Error) => void
}

class ScriptedLink implements ProduceLink {
  isOpen = true
  readonly versions = new Map()
  readonly features: ReadonlyMap<string, number>
  readonly #brokers: ScriptedBrokers
  readonly broker: number
  readonly #waiting = new Set<Waiting>()

  constructor(brokers: ScriptedBrokers, broker: number) {
    this.#brokers = brokers
    this.broker = broker
    this.features = brokers.features
  }

  request(key: number, version: number, body: readonly Uint8Array[]): Promise<Buffer> {
    const { asked: all, clock, latencyMs } = this.#brokers
    const count = this.#brokers.count(key)
    const asked = { broker: this.broker, key, version, count, body: Buffer.concat(body) }
    all.push(asked)
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject }
      this.#waiting.add(waiting)
      clock.schedule(latencyMs, () => {
        if (this.#waiting.has(waiting)) this.#arrive(asked, waiting)
      })
    })
  }

  #arrive(asked: Asked, waiting: Waiting): void {
    const fate = this.#brokers.script(asked)
    if (fate === 'lose-request') return this.#cut()
    const answer = this.#brokers.answer(asked, typeof fate === 'number' ? fate : 0)
    if (fate === 'lose-answer') return this.#cut()
    this.#waiting.delete(waiting)
    waiting.resolve(answer)
  }

  // What stands behind it on the connection is lost with it.
  #cut(): void {
    this.isOpen = false
    for (const { reject } of this.#waiting) {
      reject(new KafkaFailure(local.connectionLost, 'a scripted request'))
    }
    this.#waiting.clear()
  }
}
