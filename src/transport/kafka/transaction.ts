// Exactly-once: records and offsets of many tasks, visible together at the end of a transaction.

import { brokenInvariant, invariant, TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import type {
  OutgoingRecord,
  PartitionEnd,
  TaskCommit,
  TransactionalProducer,
  TransactionReport
} from '../../port/transport.ts'
import { commitRenewing, groupOffsets } from './group-offsets.ts'
import type { SentBatch } from './produce-broker.ts'
import type { ProduceCluster } from './produce-cluster.ts'
import { unplacedError } from './produce-errors.ts'
import { transactionLimitOf } from './produce-limit.ts'
import type { PartitionSendQueue } from './produce-partition.ts'
import { type ProduceLimits, ProduceSender, produceLimits } from './produce-sender.ts'
import { closedError } from './producer.ts'
import { KafkaFailure, toTailraceError } from './protocol-failure.ts'
import { TransactionAdmission } from './transaction-admission.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

export interface TransactionParts {
  readonly cluster: ProduceCluster
  readonly clock: Clock
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** How long a coordinator is asked again. @default 30000 */
  readonly patienceMs?: number
  /** The newest level of `transaction.version` to use; 1 keeps to Kafka 3.9's. @default 2 */
  readonly versionMax?: number
  readonly limits?: Partial<ProduceLimits>
}

/**
 * Nobody reads before the end, so a batch may wait for more: a broker takes as long for each as for
 * hundreds of its records.
 */
const lingerMs = 25
const patienceMsDefault = 30_000
/** How long a producer that is closed tries to abort what it leaves open. */
const closingMs = 2_000

/** Produce with this version makes the partition part of the transaction (KIP-890). */
const produceVersions = { explicit: 11, implicit: 12 }

type State = 'idle' | 'open' | 'ending' | 'over' | 'closed'

/** Takes the id over: older producers of it are fenced from now on. */
export async function openTransactional(parts: TransactionParts): Promise<TransactionalProducer> {
  const { clock, cluster, transactionalId, transactionTimeoutMs } = parts
  const coordinator = new TransactionCoordinator({
    cluster,
    clock,
    transactionalId,
    transactionTimeoutMs,
    patienceMs: parts.patienceMs ?? patienceMsDefault,
    versionMax: parts.versionMax ?? 2
  })
  try {
    await coordinator.open()
  } catch (error) {
    throw await openingError(error, parts)
  }
  return new KafkaTransaction(parts, coordinator)
}

class KafkaTransaction implements TransactionalProducer {
  readonly #clock: Clock
  readonly #coordinator: TransactionCoordinator
  readonly #sender: ProduceSender
  readonly #admission: TransactionAdmission
  #state: State = 'idle'
  /** Why this producer cannot go on: only a new one of the id can. */
  #overBy: TailraceError | undefined
  /** Why the open transaction can only be aborted. */
  #failure: TailraceError | undefined
  #commits: TaskCommit[] = []
  #ends = new Map<PartitionSendQueue, PartitionEnd>()
  #pendingBytes = 0
  #ending: Promise<unknown> = Promise.resolve()

  constructor(parts: TransactionParts, coordinator: TransactionCoordinator) {
    const { clock, cluster, transactionalId } = parts
    this.#clock = clock
    this.#coordinator = coordinator
    this.#admission = new TransactionAdmission({
      clock,
      cluster,
      coordinator,
      patienceMs: parts.patienceMs ?? patienceMsDefault,
      admitted: (queue) => this.#sender.offer(queue),
      failed: (error) => this.#fail(toTailraceError(error, 'a transaction cannot go on'))
    })
    const { explicit, implicit } = produceVersions
    this.#sender = new ProduceSender({
      cluster,
      clock,
      limits: { ...produceLimits, lingerMs, ...parts.limits },
      identity: coordinator.identity,
      version: coordinator.isImplicit ? implicit : explicit,
      transactionalId,
      isAdmitted: (queue) => this.#admission.isAdmitted(queue),
      onAccepted: (sent, baseOffset) => this.#accepted(sent, baseOffset),
      onRejected: (_, error) => this.#fail(error)
    })
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  async begin(): Promise<void> {
    this.#check('idle', 'begun')
    if (this.#coordinator.isRenewalDue) await this.#renewEpoch()
    this.#check('idle', 'begun')
    this.#state = 'open'
  }

  append(_task: string, record: OutgoingRecord): void {
    this.#check('open', 'appended to')
    // It is lost; what else belongs to it need not be sent.
    if (this.#failure !== undefined) return
    const { bytes, index, queue } = this.#sender.append(record)
    this.#pendingBytes += bytes
    if (index === 0) this.#admission.announce(queue)
  }

  commitOffsets(commit: TaskCommit): void {
    this.#check('open', 'given offsets')
    this.#commits.push(commit)
  }

  end(): Promise<TransactionReport> {
    try {
      this.#check('open', 'ended')
    } catch (error) {
      return Promise.reject(error)
    }
    this.#state = 'ending'
    const ended = this.#commit().finally(() => this.#clear())
    this.#ending = ended.catch(() => undefined)
    return ended
  }

  async abort(): Promise<void> {
    invariant(this.#state !== 'ending', 'a transaction was aborted while its end is under way')
    if (this.#state !== 'open') return
    this.#state = 'ending'
    const aborted = this.#rollBack(abortedError()).finally(() => this.#clear())
    this.#ending = aborted
    await aborted
  }

  /** What is open is aborted, if the brokers answer; if not, whoever opens the id next does it. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const wasOpen = this.#state === 'open'
    const wasEnding = this.#state === 'ending'
    this.#state = 'closed'
    if (wasOpen) this.#ending = this.#rollBack(closedError())
    // Unless the commit is being asked for already: then its answer is all there is to wait for.
    else if (wasEnding) this.#fail(closedError())
    const givenUp = new AbortController()
    await Promise.race([this.#ending, pause(this.#clock, closingMs, givenUp.signal)])
    givenUp.abort()
    this.#coordinator.close()
    this.#sender.close(closedError())
  }

  async #commit(): Promise<TransactionReport> {
    const offsets = groupOffsets(this.#commits)
    const flushed = this.#sender.flush()
    // The coordinators keep them aside until the end, so nothing has to be waited for.
    if (offsets.length > 0) this.#admission.isStarted = true
    const committed = offsets.map((one) =>
      commitRenewing(one, (renewed) => this.#coordinator.commitOffsets(renewed))
    )
    const [refused] = await settledFailures(committed)
    if (refused !== undefined) this.#fail(toTailraceError(refused, 'the offsets are refused'))
    await flushed
    if (this.#failure !== undefined) throw definite(await this.#rollBack(this.#failure))
    if (!this.#admission.isStarted) return { fenced: [], ends: [] }
    try {
      await this.#coordinator.end(true)
    } catch (error) {
      throw this.#undecided(error)
    }
    this.#renewed()
    return { fenced: [], ends: [...this.#ends.values()] }
  }

  #undecided(error: unknown): TailraceError {
    const isDefinite = !this.#coordinator.isInDoubt
    const what = isDefinite
      ? 'the transaction was not committed'
      : 'whether the transaction was committed is not known'
    return this.#endProducer(toTailraceError(error, what, { isDefinite }))
  }

  /** Aborts; answers why, or that the producer was fenced where that is what is behind it. */
  async #rollBack(failure: TailraceError): Promise<TailraceError> {
    this.#fail(failure)
    await this.#sender.flush()
    try {
      if (this.#admission.isStarted) await this.#coordinator.end(false)
      if (this.#sender.isSequenceLost && !this.#coordinator.isImplicit) {
        await this.#coordinator.renew()
      }
    } catch (error) {
      const over = this.#endProducer(toTailraceError(error, 'the transaction cannot go on'))
      return over.code === 'TAILRACE_TRANSPORT_FENCED' ? over : failure
    }
    this.#renewed()
    return failure
  }

  async #renewEpoch(): Promise<void> {
    try {
      await this.#coordinator.renew()
    } catch (error) {
      this.#state = 'over'
      throw this.#endProducer(toTailraceError(error, 'no transaction can be begun'))
    }
    this.#renewed()
  }

  // Where nothing of the identity changed, sequences go on.
  #renewed(): void {
    const { identity } = this.#coordinator
    if (this.#admission.begin(identity)) this.#sender.resume(identity)
    else this.#sender.resume()
  }

  #endProducer(error: TailraceError): TailraceError {
    this.#overBy = error
    return error
  }

  #accepted({ batch, queue }: SentBatch, baseOffset: number): void {
    if (baseOffset < 0) {
      this.#fail(unplacedError(queue))
      return
    }
    const { leader, partition, topic } = queue
    const end = baseOffset + batch.recordCount
    this.#ends.set(queue, { topic, partition, end, leaderEpoch: leader?.leaderEpoch ?? -1 })
  }

  #fail(error: TailraceError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#sender.drop(error)
  }

  #clear(): void {
    this.#failure = undefined
    this.#commits = []
    this.#ends = new Map()
    this.#pendingBytes = 0
    if (this.#state === 'closed') return
    this.#state = this.#overBy === undefined ? 'idle' : 'over'
  }

  #check(state: State, what: string): void {
    if (this.#state === 'closed') throw closedError()
    if (this.#state === 'over' && this.#overBy !== undefined) throw this.#overBy
    if (this.#state !== state) {
      throw brokenInvariant(`a transaction was ${what} while it is ${this.#state}`)
    }
  }
}

const invalidTransactionTimeout = 50

async function openingError(error: unknown, parts: TransactionParts): Promise<TailraceError> {
  const { cluster, transactionTimeoutMs, transactionalId } = parts
  const what = `the transactional producer ${JSON.stringify(transactionalId)} cannot be opened`
  if (!(error instanceof KafkaFailure) || error.code !== invalidTransactionTimeout) {
    return toTailraceError(error, what, { isDefinite: true })
  }
  const limitMs = await transactionLimitOf(cluster, transactionalId)
  const limit = limitMs === undefined ? 'less (this user may not ask what)' : `${limitMs} ms`
  return new TailraceError(
    'TAILRACE_TRANSPORT_REFUSED',
    `${what}: its transactions may take ${transactionTimeoutMs} ms, and ` +
      `\`transaction.max.timeout.ms\` of the brokers is ${limit}`,
    {
      hint:
        'Lower `stallTimeout` or `commitTimeout`, which it is made of, or raise ' +
        '`transaction.max.timeout.ms` of the brokers.',
      cause: error,
      isDefinite: true
    }
  )
}

async function settledFailures(work: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  const results = await Promise.allSettled(work)
  return results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
}

/** What was aborted left nothing behind, whatever became of its single batches. */
function definite(error: TailraceError): TailraceError {
  if (error.isDefinite) return error
  const { cause, code, context, hint, sentence } = error
  return new TailraceError(code, sentence, { cause, context, hint, isDefinite: true })
}

function abortedError(): TailraceError {
  return new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'the transaction was aborted', {
    isDefinite: true
  })
}
