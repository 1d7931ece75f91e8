// Data plane. Takes records to the brokers that lead their partitions: each once, in order, over
// lost connections, moved leaders and refusals.

import { TailraceError } from '../../core/errors.ts'
import type { Cancel, Clock } from '../../port/clock.ts'
import type { OutgoingRecord } from '../../port/transport.ts'
import { Accumulator, type Appended } from './accumulator.ts'
import { type ProducerIdentity, RowPlace } from './produce-batch.ts'
import { BrokerSender, type SentBatch } from './produce-broker.ts'
import type { ProduceCluster } from './produce-cluster.ts'
import { decodeProduce, type ProduceAnswer } from './produce-codec.ts'
import {
  expiredError,
  fencedByTime,
  refusalOf,
  rejection,
  tooLargeError
} from './produce-errors.ts'
import { batchLimitOf } from './produce-limit.ts'
import { isInDoubt, outcomeOf, produceCodes } from './produce-outcome.ts'
import type { PartitionSendQueue } from './produce-partition.ts'
import { KafkaFailure } from './protocol-failure.ts'

export interface ProduceLimits {
  /** How long an open batch waits for more records; 0: until the end of the loop's turn. */
  readonly lingerMs: number
  readonly batchBytesMax: number
  readonly requestBytesMax: number
  /** How long a broker may take for one request. */
  readonly requestTimeoutMs: number
  /** How long a record is tried to be sent, all attempts together. */
  readonly deliveryTimeoutMs: number
}

export const produceLimits: ProduceLimits = {
  lingerMs: 0,
  batchBytesMax: 128 * 1024,
  requestBytesMax: 4 * 1024 * 1024,
  requestTimeoutMs: 30_000,
  deliveryTimeoutMs: 120_000
}

export interface ProduceSenderParts {
  readonly cluster: ProduceCluster
  readonly clock: Clock
  readonly limits: ProduceLimits
  readonly identity: ProducerIdentity
  /** Of the Produce request. */
  readonly version: number
  readonly transactionalId: string | null
  /** Another identity, when the epochs of one are used up. */
  readonly renew?: () => Promise<ProducerIdentity>
  /** A transaction may have to take the partition in first; it then calls `offer`. */
  readonly isAdmitted?: (queue: PartitionSendQueue) => boolean
  readonly onAccepted?: (sent: SentBatch, baseOffset: number) => void
  readonly onRejected?: (sent: SentBatch, error: TailraceError) => void
}

const backOffMs = { first: 20, max: 1_000 }

export class ProduceSender {
  /** On the monotonic clock: nothing is sent after it. */
  notAfter: () => number = () => Number.POSITIVE_INFINITY
  readonly #parts: ProduceSenderParts
  readonly #accumulator: Accumulator
  readonly #brokers = new Map<number, BrokerSender>()
  /** Those whose open batch waits for the end of its linger. */
  #lingering: PartitionSendQueue[] = []
  #cancelLinger: Cancel | undefined
  #isLingering = false
  /** What is not in the log yet is given up for this. */
  #dropped: TailraceError | undefined
  #isSequenceLost = false

  constructor(parts: ProduceSenderParts) {
    this.#parts = parts
    const { clock, identity, limits, transactionalId } = parts
    const { batchBytesMax, deliveryTimeoutMs } = limits
    const isTransactional = transactionalId !== null
    const deadlineMs = (): number => clock.monotonic() + deliveryTimeoutMs
    this.#accumulator = new Accumulator({ isTransactional, batchBytesMax, deadlineMs }, identity)
  }

  get pendingBytes(): number {
    return this.#accumulator.pendingBytes
  }

  /** A batch was given up that had its place in a sequence already. */
  get isSequenceLost(): boolean {
    return this.#isSequenceLost
  }

  append(record: OutgoingRecord): Appended {
    const appended = this.#accumulator.append(record)
    const { index, queue } = appended
    if (index === 0) this.#linger(queue)
    if (queue.isReady) this.offer(queue)
    return appended
  }

  /** Resolves when everything so far is in the log or given up. */
  flush(): Promise<void> {
    this.#endLinger()
    return this.#accumulator.flushed()
  }

  /** Gives up what is not under way, and what would have to go again. */
  drop(error: TailraceError): void {
    this.#dropped = error
    for (const queue of this.#accumulator.queues) {
      for (const batch of queue.drop()) this.#reject({ queue, batch }, error)
    }
  }

  /** Sends on after `drop`, under another identity or the same. Nothing may be under way. */
  resume(identity?: ProducerIdentity): void {
    this.#dropped = undefined
    if (identity === undefined) return
    this.#isSequenceLost = false
    this.#accumulator.reset(identity)
  }

  /** The queue may have something to send. */
  offer(queue: PartitionSendQueue): void {
    this.#enlist(queue)?.pump()
  }

  /** Stops; whatever is not settled is rejected. */
  close(error: TailraceError): void {
    this.#cancelLinger?.()
    this.drop(error)
  }

  #linger(queue: PartitionSendQueue): void {
    this.#lingering.push(queue)
    if (this.#isLingering) return
    this.#isLingering = true
    const { clock, limits } = this.#parts
    if (limits.lingerMs === 0) void clock.turn().then(() => this.#endLinger())
    else this.#cancelLinger = clock.schedule(limits.lingerMs, () => this.#endLinger())
  }

  #endLinger(): void {
    this.#cancelLinger?.()
    this.#isLingering = false
    const queues = this.#lingering
    this.#lingering = []
    for (const queue of queues) queue.due()
    const brokers = new Set(queues.map((queue) => this.#enlist(queue)))
    for (const broker of brokers) broker?.pump()
  }

  #enlist(queue: PartitionSendQueue): BrokerSender | undefined {
    if (!this.#mayGo(queue)) return undefined
    if (queue.leader === undefined) {
      this.#locate(queue)
      return undefined
    }
    const broker = this.#brokerSender(queue.leader.broker)
    broker.offer(queue)
    return broker
  }

  #mayGo(queue: PartitionSendQueue): boolean {
    if (!queue.isReady) return false
    if (queue.isWornOut) {
      this.#renew(queue)
      return false
    }
    this.#expire(queue)
    return queue.isReady && (this.#parts.isAdmitted?.(queue) ?? true)
  }

  // Only the first can be overdue: those behind it were begun later.
  #expire(queue: PartitionSendQueue): void {
    const now = this.#parts.clock.monotonic()
    const isFenced = now > this.notAfter()
    for (let { head } = queue; head !== undefined; { head } = queue) {
      if (!isFenced && now < head.deadlineMs) return
      queue.expire()
      const error = isFenced ? fencedByTime(head) : expiredError(head, queue, this.#parts.limits)
      this.#reject({ queue, batch: head }, error)
    }
  }

  #locate(queue: PartitionSendQueue): void {
    queue.isAway = true
    this.#parts.cluster.leader(queue).then(
      (leader) => {
        queue.leader = leader
        queue.isAway = false
        this.offer(queue)
      },
      (error: unknown) => {
        if (error instanceof KafkaFailure && error.isRetriable) this.#backOff(queue, error)
        else this.#giveUp(queue, error)
      }
    )
  }

  #giveUp(queue: PartitionSendQueue, error: unknown): void {
    queue.isAway = false
    for (const batch of queue.drop()) this.#reject({ queue, batch }, rejection(batch, error))
  }

  #renew(queue: PartitionSendQueue): void {
    const { renew } = this.#parts
    if (renew === undefined) return
    queue.isAway = true
    renew().then(
      (identity) => {
        queue.reset(identity)
        queue.isAway = false
        this.offer(queue)
      },
      (error: unknown) => this.#giveUp(queue, error)
    )
  }

  #backOff(queue: PartitionSendQueue, error: KafkaFailure): void {
    queue.isAway = true
    queue.lastFailure = error
    if (error.isStaleMetadata || error.isOutcomeUnknown) {
      queue.leader = undefined
      this.#parts.cluster.outdated([queue.topic])
    }
    const delayMs = Math.min(backOffMs.max, backOffMs.first * 2 ** Math.min(queue.failures++, 10))
    this.#parts.clock.schedule(delayMs * (0.8 + Math.random() * 0.4), () => {
      queue.isAway = false
      this.offer(queue)
    })
  }

  #brokerSender(broker: number): BrokerSender {
    const known = this.#brokers.get(broker)
    if (known !== undefined) return known
    const { cluster, limits, transactionalId, version } = this.#parts
    const { requestBytesMax, requestTimeoutMs } = limits
    const made = new BrokerSender({
      broker,
      cluster,
      version,
      transactionalId,
      requestTimeoutMs,
      requestBytesMax,
      mayGo: (queue) => queue.leader?.broker === broker && this.#mayGo(queue),
      answered: (sent, answer) => this.#answered(sent, answer),
      lost: (sent, error) => this.#lost(sent, error),
      unreachable: (queues, error) => {
        for (const queue of queues) this.#unreachable(queue, error)
      }
    })
    this.#brokers.set(broker, made)
    return made
  }

  #unreachable(queue: PartitionSendQueue, error: unknown): void {
    if (error instanceof KafkaFailure && error.isRetriable) this.#backOff(queue, error)
    else this.#giveUp(queue, error)
  }

  #answered(sent: readonly SentBatch[], body: Buffer): void {
    let answers: readonly ProduceAnswer[]
    try {
      answers = decodeProduce(body)
    } catch (error) {
      this.#lost(sent, error)
      return
    }
    // A broker answers in the order of the request; a look at the name is enough to be sure.
    const byName = new Map(answers.map((one) => [`${one.partition}/${one.topic}`, one]))
    for (const one of sent) {
      const answer = byName.get(`${one.queue.partition}/${one.queue.topic}`)
      if (answer === undefined) this.#lost([one], new TypeError('an answer left a partition out'))
      else this.#settle(one, answer)
    }
  }

  #settle(sent: SentBatch, answer: ProduceAnswer): void {
    if (answer.code === produceCodes.none) this.#accept(sent, answer)
    else this.#settleRefused(sent, answer)
    this.offer(sent.queue)
  }

  #settleRefused(sent: SentBatch, answer: ProduceAnswer): void {
    const { queue, batch } = sent
    const refusal = refusalOf(answer, batch)
    const outcome = outcomeOf(answer.code, {
      isHead: queue.isHead(batch),
      isTransactional: this.#parts.transactionalId !== null,
      recordCount: batch.recordCount,
      isUncertain: batch.isUncertain,
      isRetriable: refusal.isRetriable
    })
    if (isInDoubt(answer.code)) batch.isUncertain = true
    switch (outcome) {
      case 'accepted':
        this.#accept(sent, answer)
        break
      case 'split':
        this.#accumulator.split(batch, queue.split(batch))
        break
      case 'rejected':
        queue.rejected(batch)
        this.#refused(sent, refusal)
        break
      case 'again':
      case 'restart':
        this.#again(sent, refusal, outcome === 'restart')
    }
  }

  // The limit is asked for, so that the sentence says it: until then the batch is not settled.
  #refused(sent: SentBatch, refusal: KafkaFailure): void {
    if (refusal.code !== produceCodes.messageTooLarge) {
      this.#reject(sent, rejection(sent.batch, refusal))
      return
    }
    const { cluster } = this.#parts
    void batchLimitOf(cluster, sent.queue.topic).then((limit) => {
      this.#reject(sent, tooLargeError(sent.batch, limit))
    })
  }

  #accept(sent: SentBatch, { baseOffset, appendTime }: ProduceAnswer): void {
    const { batch, queue } = sent
    queue.accepted(batch)
    this.#accumulator.settled(batch)
    this.#parts.onAccepted?.(sent, baseOffset)
    batch.accept(new RowPlace(batch.at, baseOffset, appendTime))
  }

  #again({ queue, batch }: SentBatch, error: KafkaFailure, isRestart: boolean): void {
    if (this.#dropped !== undefined) {
      queue.rejected(batch)
      this.#reject({ queue, batch }, this.#dropped)
      return
    }
    if (isRestart) queue.restart(batch)
    else queue.again(batch)
    if (!queue.isAway) this.#backOff(queue, error)
  }

  #lost(sent: readonly SentBatch[], error: unknown): void {
    for (const one of sent) {
      one.batch.isUncertain = true
      if (error instanceof KafkaFailure && error.isRetriable) {
        this.#again(one, error, false)
        continue
      }
      one.queue.rejected(one.batch)
      this.#reject(one, rejection(one.batch, error))
    }
  }

  #reject(sent: SentBatch, error: TailraceError): void {
    if (sent.batch.isStamped) this.#isSequenceLost = true
    this.#accumulator.reject(sent.batch, error)
    this.#parts.onRejected?.(sent, error)
  }
}
