// Data plane. The open transaction of a worker: outputs go in when their record is accepted; while
// a commit ends, those of later records wait for the next transaction.
import { invariant, TailraceError } from '../core/errors.ts'
import type {
  OutgoingRecord,
  TaskCommit,
  TransactionalProducer,
  TransactionReport
} from '../port/transport.ts'

interface Held {
  readonly task: string
  readonly record: OutgoingRecord
}

export class Sender {
  readonly #producer: TransactionalProducer
  #isEnding = false
  #held: Held[] = []
  #heldBytes = 0
  /** Tasks whose outputs are in the open transaction. */
  readonly #written = new Set<string>()
  /** Tasks that the log refused and that run on until they are dropped: they send nothing more. */
  readonly #refused = new Set<string>()
  /** Tasks dropped while the transaction ends: what runs under their names later is another. */
  readonly #forgotten = new Set<string>()
  #isSpoiled = false

  constructor(producer: TransactionalProducer) {
    this.#producer = producer
  }

  begin(): Promise<void> {
    return this.#producer.begin()
  }

  get isEnding(): boolean {
    return this.#isEnding
  }

  /** Bytes that wait for a commit. */
  get pendingBytes(): number {
    return this.#isEnding ? this.#heldBytes : this.#producer.pendingBytes
  }

  /** Outputs of an accepted record. */
  accept(task: string, records: readonly OutgoingRecord[]): void {
    if (this.#refused.has(task)) return
    if (!this.#isEnding) this.#written.add(task)
    for (const record of records) {
      if (!this.#isEnding) {
        this.#producer.append(task, record)
        continue
      }
      this.#held.push({ task, record })
      this.#heldBytes += (record.key?.length ?? 0) + (record.value?.length ?? 0) + overheadBytes
    }
  }

  /** A changelog record, or the offsets of a task: only while no commit is ending. */
  append(task: string, record: OutgoingRecord): void {
    this.#producer.append(task, record)
  }

  commitOffsets(commit: TaskCommit): void {
    this.#producer.commitOffsets(commit)
  }

  /** A task was taken away: what it sent and did not commit must never be seen. */
  forget(task: string): void {
    this.#refused.delete(task)
    this.#forgotten.add(task)
    this.#held = this.#held.filter((one) => one.task !== task)
    // While a transaction ends, the task's offsets are in it too, and fence it.
    if (this.#written.has(task)) this.#isSpoiled = true
  }

  /** @throws TAILRACE_TRANSPORT_FENCED when the open transaction must not be committed */
  check(): void {
    if (!this.#isSpoiled) return
    throw new TailraceError(
      'TAILRACE_TRANSPORT_FENCED',
      'the open transaction holds outputs of a task that was taken away',
      { isDefinite: true }
    )
  }

  /** From here on outputs belong to the next transaction. */
  seal(): void {
    invariant(!this.#isEnding, 'two commits at once')
    this.#isEnding = true
    this.#written.clear()
    this.#forgotten.clear()
  }

  /** Ends the sealed transaction; then opens the next one with what was held back meanwhile. */
  async end(): Promise<TransactionReport> {
    const report = await this.#producer.end()
    await this.#producer.begin()
    for (const task of report.fenced) if (!this.#forgotten.has(task)) this.#refused.add(task)
    this.#isEnding = false
    const held = this.#held
    this.#held = []
    this.#heldBytes = 0
    for (const { task, record } of held) {
      if (this.#refused.has(task)) continue
      this.#written.add(task)
      this.#producer.append(task, record)
    }
    return report
  }

  async close(): Promise<void> {
    this.#held = []
    await this.#producer.close()
  }
}

// Record, headers and batch share of an output, on top of key and value.
const overheadBytes = 40
