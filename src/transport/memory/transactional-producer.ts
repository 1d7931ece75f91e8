// Writes of several tasks that become visible together: buffered here, appended in one instant.

import { brokenInvariant, invariant } from '../../core/errors.ts'
import { BatchEncoder } from '../../core/record-batch.ts'
import type {
  OutgoingRecord,
  TaskCommit,
  TopicPartition,
  TransactionalProducer,
  TransactionReport
} from '../../port/transport.ts'
import type { MemoryBroker, TaskBatches } from './broker.ts'
import type { Gate } from './gate.ts'

/** Batches are cut here, so that a reader with a small limit need not take a whole commit. */
const batchBytesMax = 256 * 1024

export interface ProducerIdentity {
  readonly id: string
  readonly epoch: number
}

export class MemoryTransactionalProducer implements TransactionalProducer {
  readonly #broker: MemoryBroker
  readonly #gate: Gate
  readonly #identity: ProducerIdentity
  readonly #writes = new Map<string, PartitionWrite>()
  #commits: TaskCommit[] = []
  #state: 'idle' | 'open' | 'ending' = 'idle'
  #pendingBytes = 0
  #isClosed = false

  constructor(broker: MemoryBroker, gate: Gate, identity: ProducerIdentity) {
    this.#broker = broker
    this.#gate = gate
    this.#identity = identity
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  async begin(): Promise<void> {
    this.#check('transaction.begin', 'idle')
    this.#state = 'open'
    try {
      await this.#gate.pass('transaction.begin', () => undefined)
    } catch (error) {
      this.#state = 'idle'
      throw error
    }
  }

  append(task: string, record: OutgoingRecord): void {
    this.#check('transaction.append', 'open')
    const { topic, partition } = record
    const name = `${partition}/${topic}/${task}`
    let write = this.#writes.get(name)
    if (write === undefined) {
      write = new PartitionWrite(task, { topic, partition })
      this.#writes.set(name, write)
    }
    this.#pendingBytes += write.append(record)
  }

  commitOffsets(commit: TaskCommit): void {
    this.#check('transaction.commitOffsets', 'open')
    this.#commits.push(commit)
  }

  async end(): Promise<TransactionReport> {
    this.#check('transaction.end', 'open')
    this.#state = 'ending'
    const { id, epoch } = this.#identity
    const commits = this.#commits
    const writes = [...this.#writes.values()].map((write) => write.finish())
    this.#forget()
    try {
      return await this.#gate.pass('transaction.end', () =>
        this.#broker.commit({ producerId: id, producerEpoch: epoch, writes, commits })
      )
    } finally {
      this.#state = 'idle'
    }
  }

  async abort(): Promise<void> {
    invariant(this.#state !== 'ending', 'a transaction was aborted while its end was under way')
    this.#forget()
    this.#state = 'idle'
    await this.#gate.pass('transaction.abort', () => undefined)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#forget()
  }

  #forget(): void {
    this.#writes.clear()
    this.#commits = []
    this.#pendingBytes = 0
  }

  #check(operation: string, expected: 'idle' | 'open'): void {
    if (this.#isClosed) this.#gate.refuse(operation)
    this.#gate.check(operation)
    if (this.#state !== expected) {
      throw brokenInvariant(`${operation} while the transaction is ${this.#state}`)
    }
  }
}

/** What one task wrote to one partition in the open transaction. */
class PartitionWrite {
  readonly #task: string
  readonly #partition: TopicPartition
  readonly #encoder = new BatchEncoder()
  readonly #batches: Buffer[] = []

  constructor(task: string, partition: TopicPartition) {
    this.#task = task
    this.#partition = partition
  }

  /** Answers the bytes this record takes. */
  append({ key, value, timestamp, headers }: OutgoingRecord): number {
    const before = this.#encoder.recordCount === 0 ? 0 : this.#encoder.sizeBytes
    this.#encoder.append(key, value, timestamp, headers)
    const grown = this.#encoder.sizeBytes - before
    if (this.#encoder.sizeBytes >= batchBytesMax) this.#batches.push(this.#encoder.finish())
    return grown
  }

  finish(): TaskBatches {
    if (this.#encoder.recordCount > 0) this.#batches.push(this.#encoder.finish())
    return { task: this.#task, ...this.#partition, batches: this.#batches }
  }
}
