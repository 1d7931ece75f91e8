// The transactional producer: buffers until `end`, then one job writes records and offsets.

import { brokenInvariant, invariant, TailraceError } from '../../core/errors.ts'
import { BatchEncoder } from '../../core/record-batch.ts'
import type {
  OutgoingRecord,
  PartitionEnd,
  TaskCommit,
  TransactionalProducer,
  TransactionReport
} from '../../port/transport.ts'
import { deletedError } from './catalog.ts'
import { closedError, integer, text } from './database.ts'
import type { Log } from './log.ts'
import { batchBytesMax } from './partition-sends.ts'
import type { PendingBatch } from './tails.ts'

/** Encoders are kept from one transaction to the next while there are not more than these. */
const encodersKeptMax = 1_024

interface TransactionBatch extends PendingBatch {
  /** Of the partition in the log: another one after the topic was made anew. */
  readonly id: number
}

/** What one task has for one partition. A fenced task is left out, so tasks share no batch. */
interface Buffered {
  readonly id: number
  readonly topic: string
  readonly partition: number
  readonly hasAppendTime: boolean
  readonly encoder: BatchEncoder
  readonly finished: TransactionBatch[]
}

const selectOwner = 'SELECT member, epoch FROM owner WHERE "group" = ? AND task = ?'
const upsertCommitted = `
  INSERT INTO committed VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET offset = excluded.offset, metadata = excluded.metadata`

/** Registers a producer id; older producers of it are fenced from now on. */
export async function openTransactional(log: Log, id: string): Promise<TransactionalProducer> {
  const epoch = await log.database.transaction(() => {
    const row = log.database.get(
      `INSERT INTO producer VALUES (?, 0)
       ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch`,
      id
    )
    return integer(row, 'epoch')
  })
  return new EmbeddedTransaction(log, { id, epoch })
}

class EmbeddedTransaction implements TransactionalProducer {
  readonly #log: Log
  readonly #producer: { readonly id: string; readonly epoch: number }
  readonly #tasks = new Map<string, Map<string, (Buffered | undefined)[]>>()
  #encoderCount = 0
  /** Of the catalog that `#tasks` was filled by. */
  #catalogVersion = -1
  #commits: TaskCommit[] = []
  #pendingBytes = 0
  #state: 'idle' | 'open' | 'ending' | 'closed' = 'idle'

  constructor(log: Log, producer: { readonly id: string; readonly epoch: number }) {
    this.#log = log
    this.#producer = producer
    log.users.add(this)
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  async begin(): Promise<void> {
    this.#expect('idle', 'begun')
    const { catalog, database } = this.#log
    await database.attempt(() => catalog.refresh())
    this.#expect('idle', 'begun')
    this.#state = 'open'
    if (catalog.version === this.#catalogVersion) return
    // A topic made anew has other partitions, and perhaps other settings.
    this.#forget()
    this.#catalogVersion = catalog.version
  }

  append(task: string, record: OutgoingRecord): void {
    this.#expect('open', 'appended to')
    const buffered = this.#buffered(task, record)
    const { encoder, hasAppendTime } = buffered
    const before = encoder.recordCount === 0 ? 0 : encoder.sizeBytes
    const timestamp = hasAppendTime ? this.#appendTime(encoder) : record.timestamp
    encoder.append(record.key, record.value, timestamp, record.headers)
    this.#pendingBytes += encoder.sizeBytes - before
    if (encoder.sizeBytes >= batchBytesMax) finish(buffered)
  }

  // A batch has one append time: a look at the clock for each record would cost as much as a copy.
  #appendTime({ maxTimestamp, recordCount }: BatchEncoder): number {
    return recordCount === 0 ? this.#log.clock.now() : maxTimestamp
  }

  commitOffsets(commit: TaskCommit): void {
    this.#expect('open', 'given offsets')
    this.#commits.push(commit)
  }

  end(): Promise<TransactionReport> {
    try {
      this.#expect('open', 'ended')
    } catch (error) {
      return Promise.reject(error)
    }
    this.#state = 'ending'
    const commits = this.#commits
    // Encoding and checksums are done before the lock is taken.
    const batches = this.#takeBatches()
    return new Promise<TransactionReport>((resolve, reject) => {
      const fenced = new Set<string>()
      let written: readonly TransactionBatch[] = []
      this.#log.writer.submit({
        prepare: () => {
          this.#checkProducer()
          for (const commit of commits) if (!this.#isOwner(commit)) fenced.add(commit.task)
          this.#checkOffsets(commits)
          written = [...batches].flatMap(([task, own]) => (fenced.has(task) ? [] : own))
          for (const batch of written) this.#checkPartition(batch)
          return written
        },
        apply: () => this.#writeOffsets(commits.filter(({ task }) => !fenced.has(task))),
        done: () => {
          this.#clear()
          resolve({ fenced: [...fenced], ends: endsOf(written, this.#log.leaderEpoch) })
        },
        failed: (error) => {
          this.#clear()
          reject(error)
        }
      })
    })
  }

  async abort(): Promise<void> {
    if (this.#state === 'closed') return
    invariant(this.#state !== 'ending', 'a transaction was aborted while its end is under way')
    this.#clear()
  }

  async close(): Promise<void> {
    if (this.#state !== 'ending') this.#clear()
    this.#state = 'closed'
    this.#log.users.delete(this)
  }

  #expect(state: 'idle' | 'open', what: string): void {
    if (this.#state === 'closed') throw closedError(this.#log.paths.directory)
    if (this.#state !== state) {
      throw brokenInvariant(`a transaction was ${what} while it is ${this.#state}`)
    }
  }

  #buffered(task: string, record: OutgoingRecord): Buffered {
    const topics = this.#tasks.get(task) ?? new Map<string, (Buffered | undefined)[]>()
    if (topics.size === 0) this.#tasks.set(task, topics)
    const known = topics.get(record.topic)?.[record.partition]
    if (known !== undefined) return known
    const { catalog } = this.#log
    if (catalog.topic(record.topic)?.partitionIds[record.partition] === undefined) catalog.refresh()
    const made: Buffered = {
      id: catalog.partitionId(record),
      topic: record.topic,
      partition: record.partition,
      hasAppendTime: catalog.topic(record.topic)?.settings.timestampType === 'append',
      encoder: new BatchEncoder(),
      finished: []
    }
    const partitions = topics.get(record.topic) ?? []
    partitions[record.partition] = made
    topics.set(record.topic, partitions)
    this.#encoderCount++
    return made
  }

  #takeBatches(): ReadonlyMap<string, readonly TransactionBatch[]> {
    const batches = new Map<string, TransactionBatch[]>()
    for (const [task, topics] of this.#tasks) {
      const own: TransactionBatch[] = []
      for (const partitions of topics.values()) {
        for (const buffered of partitions) {
          if (buffered === undefined) continue
          if (buffered.encoder.recordCount > 0) finish(buffered)
          own.push(...buffered.finished.splice(0))
        }
      }
      if (own.length > 0) batches.set(task, own)
    }
    return batches
  }

  /** Under the lock: refused when a newer producer of this id was opened. */
  #checkProducer(): void {
    const { id, epoch } = this.#producer
    const row = this.#log.database.get('SELECT epoch FROM producer WHERE id = ?', id)
    const newest = integer(row, 'epoch')
    if (newest === epoch) return
    throw new TailraceError(
      'TAILRACE_TRANSPORT_FENCED',
      `producer ${JSON.stringify(id)} of epoch ${epoch} was replaced by one of epoch ${newest}`,
      { isDefinite: true }
    )
  }

  /** Under the lock: a topic made anew meanwhile is not what the records were meant for. */
  #checkPartition(batch: TransactionBatch): void {
    if (this.#log.catalog.partitionId(batch) !== batch.id) throw deletedError(batch)
  }

  #isOwner({ group, task, memberId, epoch }: TaskCommit): boolean {
    const row = this.#log.database.get(selectOwner, group, task)
    if (row === undefined) return false
    return text(row, 'member') === memberId && integer(row, 'epoch') === epoch
  }

  #checkOffsets(commits: readonly TaskCommit[]): void {
    for (const { offsets } of commits) for (const at of offsets) this.#log.catalog.partitionId(at)
  }

  #writeOffsets(commits: readonly TaskCommit[]): void {
    const { catalog, database } = this.#log
    for (const { group, offsets } of commits) {
      for (const at of offsets) {
        database.run(upsertCommitted, group, catalog.partitionId(at), at.offset, at.metadata)
      }
    }
  }

  #clear(): void {
    if (this.#encoderCount > encodersKeptMax) this.#forget()
    for (const topics of this.#tasks.values()) {
      for (const partitions of topics.values()) {
        for (const buffered of partitions) {
          buffered?.encoder.reset()
          buffered?.finished.splice(0)
        }
      }
    }
    this.#commits = []
    this.#pendingBytes = 0
    if (this.#state !== 'closed') this.#state = 'idle'
  }

  #forget(): void {
    this.#tasks.clear()
    this.#encoderCount = 0
  }
}

function finish(buffered: Buffered): void {
  const { id, topic, partition, hasAppendTime, encoder, finished } = buffered
  finished.push({
    id,
    topic,
    partition,
    recordCount: encoder.recordCount,
    timestampMax: encoder.maxTimestamp,
    bytes: encoder.finish({ timestampType: hasAppendTime ? 'append' : 'create' }),
    baseOffset: -1
  })
}

/** The offset after the last record, for each partition written. */
function endsOf(batches: readonly PendingBatch[], leaderEpoch: number): readonly PartitionEnd[] {
  const ends = new Map<string, PartitionEnd>()
  for (const { topic, partition, baseOffset, recordCount } of batches) {
    const end = baseOffset + recordCount
    ends.set(`${partition}/${topic}`, { topic, partition, end, leaderEpoch })
  }
  return [...ends.values()]
}
