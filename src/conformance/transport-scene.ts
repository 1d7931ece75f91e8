// What a case of the transport suite works with: a fresh log, and short words for common acts.

import assert from 'node:assert/strict'
import { BatchCursor } from '../core/batch-cursor.ts'
import type { ErrorCode } from '../core/errors.ts'
import { hasCode } from '../core/errors.ts'
import type { RecordHeader } from '../core/record-batch.ts'
import type { TaskSpec } from '../core/task-spec.ts'
import type { Clock } from '../port/clock.ts'
import { pause } from '../port/clock.ts'
import type {
  Delivery,
  FetchedChunk,
  Fetcher,
  OutgoingRecord,
  Producer,
  TopicPartition,
  TopicSettings,
  TransactionReport,
  Transport
} from '../port/transport.ts'

/** A log made for one case. */
export interface ConformanceLog {
  /** The clock this log lives by. */
  readonly clock: Clock
  /**
   * What topics, groups and transactional ids of the case begin with, where the cases share one
   * server: another for each.
   */
  readonly namespace?: string
  /** Opens one more connection to the same log. */
  connect(): Promise<Transport>
  /** Sets the wall clock alone by so much, where that can be done: the case is empty elsewhere. */
  jumpWall?(ms: number): void
  /** Closes what is open and removes the log. */
  dispose(): Promise<void>
}

/** What the suite must know of an implementation to ask the right things. */
export interface ConformanceFeatures {
  /** Session of the members that the group cases let expire; short ones make the suite short. */
  readonly sessionTimeoutMs: number
  /** Replication of the topics made; 1 unless the log has several servers. */
  readonly replication?: number
  /**
   * True where the records of a transaction are in the log before its end, unread, and a marker
   * behind them takes an offset (Kafka). A fence then refuses a transaction as a whole.
   */
  readonly hasMarkers?: boolean
  /** True where `maintain` does nothing, and the log deletes and compacts when it sees fit. */
  readonly maintainsItself?: boolean
  /** Further topic settings under which `maintain` compacts at once what it can. */
  readonly eagerCompaction?: Readonly<Record<string, string>>
}

/** A record as a reader sees it, in texts. */
export interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly RecordHeader[]
}

const settingsDefault: TopicSettings = {
  cleanupPolicy: 'delete',
  retentionMs: -1,
  timestampType: 'create',
  extra: {}
}

/** One limit for every read of the suite that does not ask about limits. */
export const fetchLimits: { readonly bytesMax: number; readonly waitMaxMs: number } = {
  bytesMax: 1024 * 1024,
  waitMaxMs: 1_000
}

const maintenanceMsMax = 40_000

export class TransportScene {
  readonly clock: Clock
  readonly features: ConformanceFeatures
  /** The connection that a case uses when it needs only one. */
  readonly transport: Transport
  readonly #log: ConformanceLog
  #topicCount = 0
  #producer: Producer | undefined

  constructor(log: ConformanceLog, transport: Transport, features: ConformanceFeatures) {
    this.#log = log
    this.clock = log.clock
    this.transport = transport
    this.features = features
  }

  /** What a topic, group or producer of this case is called in the log. */
  named(name: string): string {
    return `${this.#log.namespace ?? ''}${name}`
  }

  connect(): Promise<Transport> {
    return this.#log.connect()
  }

  dispose(): Promise<void> {
    return this.#log.dispose()
  }

  /** The wall clock jumps; the monotonic one goes on as if nothing had been. */
  jumpWall(ms: number): void {
    this.#log.jumpWall?.(ms)
  }

  pause(ms: number): Promise<void> {
    return pause(this.clock, ms)
  }

  /** Creates a topic and answers its name. */
  async topic(partitions: number = 1, settings: Partial<TopicSettings> = {}): Promise<string> {
    const name = this.named(`topic-${++this.#topicCount}`)
    const replication = this.features.replication ?? 1
    const spec = { name, partitions, replication, settings: { ...settingsDefault, ...settings } }
    await this.transport.admin().create([spec])
    return name
  }

  /** Sends one record for each text, in order, by the scene's own producer. */
  async send(partition: TopicPartition, ...values: readonly string[]): Promise<Delivery[]> {
    this.#producer ??= await this.transport.producer()
    const producer = this.#producer
    return Promise.all(values.map((value) => producer.send(record(partition, { value }))))
  }

  /** As `send`, each awaited before the next, so that no log can put two into one batch. */
  async sendApart(partition: TopicPartition, ...values: readonly string[]): Promise<void> {
    for (const value of values) await this.send(partition, value)
  }

  async sendAll(records: readonly OutgoingRecord[]): Promise<Delivery[]> {
    this.#producer ??= await this.transport.producer()
    const producer = this.#producer
    return Promise.all(records.map((one) => producer.send(one)))
  }

  /** Every record from `offset` to the end that the partition has now. */
  async read(partition: TopicPartition, offset?: number): Promise<ReadRecord[]> {
    const range = await this.range(partition)
    let position = offset ?? range.start
    const fetcher = await this.transport.fetcher()
    fetcher.add([{ ...partition, offset: position }])
    const records: ReadRecord[] = []
    while (position < range.end) {
      for (const chunk of await fetcher.fetch(fetchLimits)) {
        assert.equal(chunk.outOfRange, undefined, 'a position inside the log is out of range')
        records.push(...recordsOf(chunk, position))
        position = chunk.nextOffset
      }
    }
    await fetcher.close()
    return records
  }

  async values(partition: TopicPartition): Promise<(string | null)[]> {
    return (await this.read(partition)).map((one) => one.value)
  }

  async range(partition: TopicPartition): Promise<{ start: number; end: number; epoch: number }> {
    const [range] = await this.transport.admin().ranges([partition])
    assert.ok(range !== undefined)
    return { start: range.start, end: range.end, epoch: range.leaderEpoch }
  }

  /** Nothing of what is there can be read by those who read committed records. */
  async assertUnreadable(partition: TopicPartition): Promise<void> {
    const fetcher = await this.transport.fetcher()
    fetcher.add([{ ...partition, offset: 0 }])
    // The first answer says that there is nothing, the second waits for something.
    for (let i = 0; i < 2; i++) {
      for (const chunk of await fetcher.fetch({ ...fetchLimits, waitMaxMs: 50 })) {
        assert.deepEqual(recordsOf(chunk, 0), [])
      }
    }
    await fetcher.close()
  }

  /** Lets the log delete and compact; one that does so in its own time is waited for. */
  async maintain(isDone: () => Promise<boolean>): Promise<void> {
    await this.transport.admin().maintain()
    if (this.features.maintainsItself !== true) return
    const until = this.clock.monotonic() + maintenanceMsMax
    while (!(await isDone())) {
      assert.ok(this.clock.monotonic() < until, 'the log did not do its housekeeping')
      await this.pause(50)
    }
  }

  /** The committed offset of one partition, or undefined. */
  async committed(group: string, partition: TopicPartition): Promise<number | undefined> {
    const [found] = await this.transport.admin().committed(group, [partition])
    return found?.offset
  }
}

export interface RecordParts {
  readonly key?: string | null
  readonly value?: string | null
  readonly timestamp?: number
  readonly headers?: readonly RecordHeader[]
}

export function record({ topic, partition }: TopicPartition, parts: RecordParts): OutgoingRecord {
  const bytes = (text: string | null | undefined): Buffer | null =>
    text === null || text === undefined ? null : Buffer.from(text)
  return {
    topic,
    partition,
    key: bytes(parts.key),
    value: bytes(parts.value),
    timestamp: parts.timestamp ?? 1_700_000_000_000,
    ...(parts.headers === undefined ? {} : { headers: parts.headers })
  }
}

/** Records of a chunk from a position on: its first batch may begin below. */
export function recordsOf(chunk: FetchedChunk, position: number): ReadRecord[] {
  const cursor = new BatchCursor()
  cursor.reset(chunk.bytes, position)
  const records: ReadRecord[] = []
  while (cursor.next()) {
    records.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key()?.toString() ?? null,
      value: cursor.value()?.toString() ?? null,
      headers: cursor.headers()
    })
  }
  return records
}

/** A task that reads one partition of each topic. */
export function taskOf(partition: number, ...topics: readonly string[]): TaskSpec {
  const subTopology = topics.join('+')
  const sources = topics.map((topic) => ({ topic, partition }))
  return { id: `${subTopology}/${partition}`, subTopology, partition, sources }
}

/** Fetches until a chunk of the partition comes, or fails after ten answers without one. */
export async function nextChunk(
  fetcher: Fetcher,
  { topic, partition }: TopicPartition
): Promise<FetchedChunk> {
  for (let i = 0; i < 10; i++) {
    const chunks = await fetcher.fetch(fetchLimits)
    const found = chunks.find((one) => one.topic === topic && one.partition === partition)
    if (found !== undefined) return found
  }
  throw new assert.AssertionError({ message: `no chunk of ${topic}/${partition} came` })
}

/** Asserts that a promise rejects with this code; `isDefinite` too where it is given. */
export async function rejectsWith(
  promise: Promise<unknown>,
  code: ErrorCode,
  isDefinite?: boolean
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(hasCode(error, code), `expected ${code}, got ${String(error)}`)
    if (isDefinite !== undefined) assert.equal(error.isDefinite, isDefinite)
    return true
  })
}

/** The tasks that a transaction left out; all of them, where a fence refuses it as a whole. */
export async function fencedOf(
  ending: Promise<TransactionReport>,
  tasks: readonly string[]
): Promise<readonly string[]> {
  try {
    return (await ending).fenced
  } catch (error) {
    if (!hasCode(error, 'TAILRACE_TRANSPORT_FENCED')) throw error
    assert.equal(error.isDefinite, true, 'a fence is definite')
    return tasks
  }
}
