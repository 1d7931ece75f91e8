// At-least-once behind the same port: records go out at once, and offsets after all of them.

import { brokenInvariant, invariant, TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { failpoint } from '../../port/failpoint.ts'
import type {
  OutgoingRecord,
  PartitionEnd,
  TaskCommit,
  TransactionalProducer,
  TransactionReport
} from '../../port/transport.ts'
import {
  encodeOffsetCommit,
  type GroupOffsets,
  groupOffsets,
  offsetCommit,
  commitRenewing
} from './group-offsets.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import type { SentBatch } from './produce-broker.ts'
import type { ProduceCluster } from './produce-cluster.ts'
import { unplacedError } from './produce-errors.ts'
import type { PartitionSendQueue } from './produce-partition.ts'
import { patiently } from './produce-patience.ts'
import { type ProduceLimits, ProduceSender, produceLimits } from './produce-sender.ts'
import { closedError, newIdentity, plainVersion } from './producer.ts'
import { type KafkaFailure, throwIf, toTailraceError } from './protocol-failure.ts'
import { decodePartitionCodes } from './transaction-codec.ts'

export interface AtLeastOnceParts {
  readonly cluster: ProduceCluster
  readonly clock: Clock
  /** How long a coordinator is asked again. @default 30000 */
  readonly patienceMs?: number
  readonly limits?: Partial<ProduceLimits>
}

const patienceMsDefault = 30_000
const groupIdNotFound = 69
const unknownMemberId = 25

type State = 'idle' | 'open' | 'ending' | 'closed'

export async function openAtLeastOnce(parts: AtLeastOnceParts): Promise<AtLeastOnceProducer> {
  try {
    return new AtLeastOnceProducer(parts, await newIdentity(parts))
  } catch (error) {
    throw toTailraceError(error, 'no producer could be opened', { isDefinite: true })
  }
}

/**
 * What a reader sees is not undone by an abort, and a commit that fails is repeated with what was
 * sent since the one before: nothing is lost, and something may come twice.
 */
export class AtLeastOnceProducer implements TransactionalProducer {
  readonly #parts: AtLeastOnceParts
  readonly #sender: ProduceSender
  #state: State = 'idle'
  #failure: TailraceError | undefined
  #commits: TaskCommit[] = []
  #ends = new Map<PartitionSendQueue, PartitionEnd>()

  constructor(parts: AtLeastOnceParts, identity: ProducerIdentity) {
    const { clock, cluster } = parts
    this.#parts = parts
    this.#sender = new ProduceSender({
      cluster,
      clock,
      limits: { ...produceLimits, ...parts.limits },
      identity,
      version: plainVersion,
      transactionalId: null,
      renew: () => newIdentity(parts),
      onAccepted: (sent, baseOffset) => this.#accepted(sent, baseOffset),
      onRejected: (_, error) => {
        this.#failure ??= error
      }
    })
  }

  get pendingBytes(): number {
    return this.#sender.pendingBytes
  }

  /** Nothing is sent after this time on the monotonic clock; each heartbeat moves it on. */
  notAfter(limit: () => number): void {
    this.#sender.notAfter = limit
  }

  async begin(): Promise<void> {
    this.#check('idle', 'begun')
    this.#state = 'open'
  }

  append(_task: string, record: OutgoingRecord): void {
    this.#check('open', 'appended to')
    this.#sender.append(record)
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
    return this.#commit().finally(() => this.#clear())
  }

  async abort(): Promise<void> {
    invariant(this.#state !== 'ending', 'a transaction was aborted while its end is under way')
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#sender.drop(abortedError())
    await this.#sender.flush()
    this.#sender.resume()
    this.#clear()
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    this.#sender.close(closedError())
  }

  async #commit(): Promise<TransactionReport> {
    await this.#sender.flush()
    if (this.#failure !== undefined) throw inDoubt(this.#failure)
    failpoint('kafka.delivered')
    try {
      for (const offsets of groupOffsets(this.#commits)) {
        await commitRenewing(offsets, (renewed) => this.#commitGroup(renewed))
      }
    } catch (error) {
      throw inDoubt(toTailraceError(error, 'the offsets could not be committed'))
    }
    return { fenced: [], ends: [...this.#ends.values()] }
  }

  #commitGroup(offsets: GroupOffsets): Promise<void> {
    const { clock, cluster, patienceMs = patienceMsDefault } = this.#parts
    const { group } = offsets
    const { key, version } = offsetCommit
    const what = `committing the offsets of group ${group}`
    const onFailure = (failure: KafkaFailure): void => {
      const isMoved = failure.isCoordinatorMoved || failure.isOutcomeUnknown
      if (isMoved) cluster.forgetCoordinator('group', group)
    }
    const isOver = (): boolean => this.#state === 'closed'
    return patiently({ clock, timeoutMs: patienceMs, isOver, onFailure }, async () => {
      const link = await cluster.coordinator('group', group, 'transaction')
      const answer = await link.request(key, version, [encodeOffsetCommit(offsets)])
      // Whoever is a member of a group that is no more has been left out of it.
      const isMember = offsets.member !== undefined
      for (const { code } of decodePartitionCodes(answer)) {
        throwIf(isMember && code === groupIdNotFound ? unknownMemberId : code, what, 'READ')
      }
    })
  }

  #accepted({ batch, queue }: SentBatch, baseOffset: number): void {
    if (baseOffset < 0) {
      this.#failure ??= unplacedError(queue)
      return
    }
    const { leader, partition, topic } = queue
    const end = baseOffset + batch.recordCount
    this.#ends.set(queue, { topic, partition, end, leaderEpoch: leader?.leaderEpoch ?? -1 })
  }

  #clear(): void {
    this.#failure = undefined
    this.#commits = []
    this.#ends = new Map()
    if (this.#state !== 'closed') this.#state = 'idle'
  }

  #check(state: State, what: string): void {
    if (this.#state === 'closed') throw closedError()
    if (this.#state !== state) {
      throw brokenInvariant(`a transaction was ${what} while it is ${this.#state}`)
    }
  }
}

// Others of the same commit are in the log already: "nothing is there" cannot be said.
function inDoubt(error: TailraceError): TailraceError {
  const { cause, code, context, hint, sentence } = error
  return new TailraceError(code, sentence, { cause, context, hint, isDefinite: false })
}

function abortedError(): TailraceError {
  return new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'the commit was given up', {
    isDefinite: false
  })
}
