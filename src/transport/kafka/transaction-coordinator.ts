// What a transactional producer asks of its coordinator: identity, members of the transaction, end.

import type { Clock } from '../../port/clock.ts'
import { failpoint } from '../../port/failpoint.ts'
import type { TopicPartition } from '../../port/transport.ts'
import { encodeTransactionOffsets, type GroupOffsets } from './group-offsets.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import type { ProduceCluster, ProduceLink } from './produce-cluster.ts'
import { patiently } from './produce-patience.ts'
import { KafkaFailure, kafka, throwIf } from './protocol-failure.ts'
import {
  decodeCode,
  decodeIdentity,
  decodePartitionCodes,
  encodeAddOffsets,
  encodeAddPartitions,
  encodeEnd,
  encodeInitProducerId,
  nobody,
  type PartitionCode,
  requests,
  type TransactionRef
} from './transaction-codec.ts'

export interface CoordinatorParts {
  readonly cluster: ProduceCluster
  readonly clock: Clock
  readonly transactionalId: string
  /** After this the coordinator aborts a transaction that nobody ended. */
  readonly transactionTimeoutMs: number
  /** How long one request is repeated. */
  readonly patienceMs: number
  /** The newest level of `transaction.version` to use. */
  readonly versionMax: number
}

/** The level from which on partitions join a transaction by being written to (KIP-890). */
const implicitLevel = 2
const operationNotAttempted = 55
/** Answers that say for certain that nothing was begun. */
const notBegun: ReadonlySet<number> = new Set([
  kafka.coordinatorLoadInProgress,
  51 // CONCURRENT_TRANSACTIONS
])

export class TransactionCoordinator {
  /** Partitions and groups need not be added; each end brings the next identity. */
  isImplicit = false
  /** A commit was asked for, and whether it took place is not known. */
  isInDoubt = false
  /**
   * A request without an answer may still be on its way, and would be taken for one of the next
   * transaction, which has the same epoch (before KIP-890): a new epoch has to come before that.
   */
  isRenewalDue = false
  readonly #parts: CoordinatorParts
  #identity: ProducerIdentity = nobody
  /** Requests wait for each other: the coordinator refuses a second one beside the first. */
  #chain: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(parts: CoordinatorParts) {
    this.#parts = parts
  }

  get identity(): ProducerIdentity {
    return this.#identity
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Takes the id over: whoever had it is fenced, and what it left open is aborted. */
  async open(): Promise<void> {
    await this.#initialize('taking the transactional id over', nobody)
  }

  /** The same producer with a new epoch, so that sequences begin anew (KIP-360). */
  async renew(): Promise<void> {
    await this.#initialize('renewing the epoch', this.#identity)
  }

  addPartitions(partitions: readonly TopicPartition[]): Promise<void> {
    const { key, version } = requests.addPartitions
    const what = 'adding partitions to the transaction'
    return this.#inTurn(what, async (link) => {
      const body = encodeAddPartitions(this.#ref(), partitions)
      throwFirst(decodePartitionCodes(await link.request(key, version, [body])), what, 'WRITE')
    })
  }

  /** The offsets of a group become part of the transaction. */
  async commitOffsets(offsets: GroupOffsets): Promise<void> {
    const { group } = offsets
    if (!this.isImplicit) await this.#addOffsets(group)
    const { key, version, versionImplicit } = requests.commitOffsets
    const what = `committing the offsets of group ${group}`
    const { cluster } = this.#parts
    await this.#repeat(
      async () => {
        const link = await cluster.coordinator('group', group, 'transaction')
        const body = encodeTransactionOffsets(this.#ref(), offsets)
        const used = this.isImplicit ? versionImplicit : version
        throwFirst(decodePartitionCodes(await link.request(key, used, [body])), what, 'READ')
      },
      (failure) => {
        if (isMoved(failure)) cluster.forgetCoordinator('group', group)
      }
    )
  }

  /** Makes everything of the transaction visible, or none of it ever. */
  async end(isCommit: boolean): Promise<void> {
    const { key, version, versionRenewing } = requests.end
    const what = isCommit ? 'committing the transaction' : 'aborting the transaction'
    await this.#inTurn(
      what,
      async (link) => {
        const used = this.isImplicit ? versionRenewing : version
        const answering = link.request(key, used, [encodeEnd(this.#ref(), isCommit)])
        if (isCommit) failpoint('kafka.end.sent')
        const answer = await answering
        if (!this.isImplicit) {
          throwIf(decodeCode(answer), what)
          return
        }
        const { code, identity } = decodeIdentity(answer)
        throwIf(code, what)
        this.#identity = identity
      },
      (failure) => {
        // The coordinator may have written the outcome down although it could not say so.
        if (isCommit && failure.isRetriable && !notBegun.has(failure.code)) this.isInDoubt = true
      }
    )
    this.isInDoubt = false
  }

  /** Requests that are being repeated give up. */
  close(): void {
    this.#isClosed = true
  }

  #initialize(what: string, identity: ProducerIdentity): Promise<void> {
    const { key, version } = requests.initProducerId
    const { transactionTimeoutMs, transactionalId, versionMax } = this.#parts
    return this.#inTurn(what, async (link) => {
      const request = { transactionalId, transactionTimeoutMs, identity }
      const answer = decodeIdentity(
        await link.request(key, version, [encodeInitProducerId(request)])
      )
      throwIf(answer.code, `${what} of ${transactionalId}`)
      this.#identity = answer.identity
      this.isRenewalDue = false
      const level = Math.min(versionMax, link.features.get('transaction.version') ?? 0)
      this.isImplicit = level >= implicitLevel
    })
  }

  #addOffsets(group: string): Promise<void> {
    const { key, version } = requests.addOffsets
    const what = `adding group ${group} to the transaction`
    return this.#inTurn(what, async (link) => {
      const body = encodeAddOffsets(this.#ref(), group)
      throwIf(decodeCode(await link.request(key, version, [body])), what)
    })
  }

  #ref(): TransactionRef {
    return { transactionalId: this.#parts.transactionalId, identity: this.#identity }
  }

  #inTurn(
    what: string,
    ask: (link: ProduceLink) => Promise<void>,
    onFailure: (failure: KafkaFailure) => void = () => undefined
  ): Promise<void> {
    const { cluster, transactionalId } = this.#parts
    const run = (): Promise<void> =>
      this.#repeat(
        async () => {
          if (this.#isClosed) throw new KafkaFailure(kafka.coordinatorNotAvailable, what)
          await ask(await cluster.coordinator('transaction', transactionalId, 'transaction'))
        },
        (failure) => {
          onFailure(failure)
          if (isMoved(failure)) cluster.forgetCoordinator('transaction', transactionalId)
        }
      )
    const next = this.#chain.then(run)
    this.#chain = next.catch(() => undefined)
    return next
  }

  #repeat(attempt: () => Promise<void>, onFailure: (failure: KafkaFailure) => void): Promise<void> {
    const { clock, patienceMs } = this.#parts
    const isOver = (): boolean => this.#isClosed
    const failed = (failure: KafkaFailure): void => {
      if (failure.isOutcomeUnknown && !this.isImplicit) this.isRenewalDue = true
      onFailure(failure)
    }
    return patiently({ clock, timeoutMs: patienceMs, isOver, onFailure: failed }, attempt)
  }
}

function isMoved(failure: KafkaFailure): boolean {
  return failure.isCoordinatorMoved || failure.isOutcomeUnknown
}

// One refusal leaves the others of its request aside: that is not what went wrong.
function throwFirst(codes: readonly PartitionCode[], what: string, right: string): void {
  const refused = codes.filter(({ code }) => code !== kafka.none)
  const first = refused.find(({ code }) => code !== operationNotAttempted) ?? refused[0]
  if (first === undefined) return
  throwIf(first.code, `${what}, ${first.topic}/${first.partition}`, right)
}
