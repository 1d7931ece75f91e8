// The fetcher: assigned partitions, read from their leaders, one answer ahead of who asks.

import { brokenInvariant, invariant, TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import type { FetchedChunk, Fetcher, FetchPosition, TopicPartition } from '../../port/transport.ts'
import type { Cluster } from './cluster.ts'
import type { AnswerHold } from './answer-rooms.ts'
import type { PartitionAnswer } from './fetch-answer.ts'
import type { Candidate } from './fetch-broker.ts'
import { FetchBroker } from './fetch-broker.ts'
import type { FetchLane, HeldAnswer } from './fetch-lane.ts'
import { lanesOf } from './fetch-numbers.ts'
import type { Asked } from './fetch-reading.ts'
import { atPlace, placeOf, Reading } from './fetch-reading.ts'
import { FetchScout } from './fetch-scout.ts'
import type { Wanted } from './fetch-session.ts'
import { type FetchTrouble, quietMs } from './fetch-trouble.ts'
import { useNativeChecksum } from './native-checksum.ts'
import { toTailraceError } from './protocol-failure.ts'

export interface FetcherParts {
  readonly cluster: Cluster
  readonly clock: Clock
  /** @default 'read-committed' */
  readonly isolation?: 'read-committed' | 'read-uncommitted'
  /** Where this process is, so that a replica nearby may serve it (KIP-392). */
  readonly rack?: string
  /** Bytes of one partition in an answer. @default 1048576 */
  readonly partitionBytesMax?: number
  /**
   * A long poll is not longer: a connection that died in silence would not be noticed.
   *
   * @default 2000
   */
  readonly pollMsMax?: number
  /** For an answer, beyond the time that the broker may wait. @default 30000 */
  readonly answerMsMax?: number
}

/** The answer that a part is of. */
interface Whole {
  /** Of the records of all its parts. */
  readonly bytes: number
  readonly hold: AnswerHold | undefined
}

interface FetchLimits {
  readonly bytesMax: number
  readonly waitMaxMs: number
}

// Once for the process: every batch that is read or written from here on is checked by it.
useNativeChecksum()

const partitionBytesDefault = 1024 * 1024
const pollMsDefault = 2_000
const answerMsDefault = 30_000
/** For so long only leaders are read from, after a replica could not be. */
const leadersMs = 30_000
/** A part of an answer below this share of it is copied, so that it does not keep all of it. */
const ownShare = 1 / 8

/**
 * Reads ahead by one answer: the next request leaves when an answer is handed out. So up to
 * `bytesMax` are under way or wait here (twice that while the partitions of a broker are asked for
 * on two connections), and at most as much again is kept for partitions paused meanwhile.
 * The memory of up to four answers of each connection is kept for the next ones.
 *
 * Brokers that are gone and leaders that move are waited out: `fetch` answers with nothing until
 * that has lasted 5 s, and then rejects once in 5 s. What waiting cannot mend it says at once.
 */
export class KafkaFetcher implements Fetcher {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #parts: FetcherParts
  readonly #scout: FetchScout
  readonly #isReadCommitted: boolean
  readonly #pollMsMax: number
  /** Whoever was served goes to the end of the line. */
  readonly #readings = new Map<string, Reading>()
  readonly #brokers = new Map<number, FetchBroker>()
  /** Those with something to hand out, in the order in which it came. */
  readonly #ready = new Set<Reading>()
  #bytesMax = 1
  #quietUntil = 0
  #leadersUntil = 0
  #isFetching = false
  #isWoken = false
  #isOpen = true
  #wakeFetch: (() => void) | undefined

  constructor(parts: FetcherParts) {
    this.#parts = parts
    this.#cluster = parts.cluster
    this.#clock = parts.clock
    this.#isReadCommitted = parts.isolation !== 'read-uncommitted'
    this.#pollMsMax = parts.pollMsMax ?? pollMsDefault
    const onNews = (reading: Reading): void => this.#onNews(reading)
    this.#scout = new FetchScout({ ...parts, isReadCommitted: this.#isReadCommitted, onNews })
  }

  add(positions: readonly FetchPosition[]): void {
    // One that is added again goes on in the topic that it was of, and hears when that is gone.
    const ids = positions.map((position) => this.#readings.get(nameOf(position))?.topicId)
    this.remove(positions)
    for (const [index, position] of positions.entries()) {
      this.#readings.set(nameOf(position), new Reading(position, ids[index]))
    }
    this.#wakeFetch?.()
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      this.#readings.get(nameOf(partition))?.forget()
      this.#readings.delete(nameOf(partition))
    }
  }

  seek(position: FetchPosition): void {
    this.#reading(position).seek(position)
    this.#wakeFetch?.()
  }

  pause(partition: TopicPartition): void {
    this.#reading(partition).isPaused = true
  }

  resume(partition: TopicPartition): void {
    this.#reading(partition).isPaused = false
    this.#wakeFetch?.()
  }

  async fetch(limits: FetchLimits): Promise<readonly FetchedChunk[]> {
    if (!this.#isOpen)
      throw new TailraceError('TAILRACE_TRANSPORT_CLOSED', 'this fetcher is closed')
    invariant(!this.#isFetching, 'a fetch was begun while another one is under way')
    this.#isFetching = true
    this.#isWoken = false
    this.#bytesMax = limits.bytesMax
    try {
      // What was read ahead is answered at once: without a turn, nothing would be read any more.
      await this.#clock.turn()
      const deadline = this.#clock.monotonic() + limits.waitMaxMs
      while (this.#isOpen) {
        this.#throwDue()
        const chunks = this.#collect(limits.bytesMax)
        if (chunks.length === 0) this.#throwDue()
        this.#ask(limits)
        const leftMs = deadline - this.#clock.monotonic()
        if (chunks.length > 0 || this.#isWoken || leftMs <= 0) return chunks
        await this.#sleep(leftMs)
      }
      return []
    } finally {
      this.#isFetching = false
    }
  }

  wake(): void {
    this.#isWoken = true
    this.#wakeFetch?.()
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.remove([...this.#readings.values()])
    this.#ready.clear()
    this.wake()
    const brokers = [...this.#brokers.values()]
    this.#brokers.clear()
    await Promise.all(brokers.map((broker) => broker.close()))
  }

  #reading(at: TopicPartition): Reading {
    const reading = this.#readings.get(nameOf(at))
    if (reading === undefined) {
      throw brokenInvariant(`partition ${nameOf(at)} was not added to this fetcher`)
    }
    return reading
  }

  #sleep(leftMs: number): Promise<void> {
    const now = this.#clock.monotonic()
    let waitMs = leftMs
    for (const one of [...this.#brokers.values(), ...this.#readings.values()]) {
      const { retryAt } = one.trouble
      if (retryAt !== undefined && retryAt > now) waitMs = Math.min(waitMs, retryAt - now)
    }
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wakeFetch = undefined
        cancel()
        resolve()
      }
      const cancel = this.#clock.schedule(waitMs, done)
      this.#wakeFetch = done
    })
  }

  #collect(bytesMax: number): FetchedChunk[] {
    const chunks: FetchedChunk[] = []
    let bytesLeft = bytesMax
    for (const reading of [...this.#ready]) {
      if (reading.isReady && (reading.isPaused || bytesLeft <= 0)) continue
      this.#ready.delete(reading)
      const chunk = this.#handOut(reading, bytesLeft)
      if (chunk !== undefined) chunks.push(chunk)
      if (chunk !== undefined && chunk.bytes.length > 0) {
        bytesLeft -= chunk.bytes.length
        this.#toEnd(reading)
      }
      // What is left waits behind those who had nothing yet.
      if (reading.isReady) this.#ready.add(reading)
    }
    return chunks
  }

  #handOut(reading: Reading, bytesMax: number): FetchedChunk | undefined {
    try {
      return reading.handOut(bytesMax)
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error
      // What others have is handed out first; the damage is met again by the next fetch.
      reading.trouble.failed(atPlace(error, reading), this.#clock.monotonic())
      return undefined
    }
  }

  #toEnd(reading: Reading): void {
    const name = nameOf(reading)
    this.#readings.delete(name)
    this.#readings.set(name, reading)
  }

  /** Sends what can be asked for now, as far as there is room for the answers. */
  #ask({ bytesMax, waitMaxMs }: FetchLimits): void {
    const now = this.#clock.monotonic()
    const byBroker = new Map<number, Candidate[]>()
    let bytesFree = bytesMax
    for (const reading of this.#readings.values()) {
      if (!reading.isPaused) bytesFree -= reading.readyBytes
      if (!isWanting(reading, now)) continue
      const leader = this.#scout.leader(reading)
      if (leader === undefined || reading.topicId === undefined) continue
      const source = reading.source(leader, now)
      const candidate = { reading, leaderEpoch: leader.leaderEpoch, topicId: reading.topicId.hex }
      const others = byBroker.get(source)
      if (others === undefined) byBroker.set(source, [candidate])
      else others.push(candidate)
    }
    if (bytesFree <= 0) return
    const share = Math.max(1, Math.floor(bytesMax / Math.max(byBroker.size, this.#brokers.size)))
    const limits = {
      waitMaxMs: Math.min(waitMaxMs, this.#pollMsMax),
      bytesMax: Math.min(share, bytesFree)
    }
    for (const [id, candidates] of byBroker) {
      const broker = this.#broker(id)
      if (!broker.trouble.isWaiting(now)) broker.ask(candidates, limits)
    }
  }

  #broker(id: number): FetchBroker {
    const found = this.#brokers.get(id)
    if (found !== undefined) return found
    const broker = new FetchBroker({
      cluster: this.#cluster,
      clock: this.#clock,
      broker: id,
      numbers: lanesOf(this.#cluster),
      isReadCommitted: this.#isReadCommitted,
      rackNow: () => this.#rackNow(),
      answerMsMax: this.#parts.answerMsMax ?? answerMsDefault,
      partitionBytesMax: this.#parts.partitionBytesMax ?? partitionBytesDefault,
      onAnswer: (lane, held, asked) => this.#onAnswer(lane, held, asked),
      onFailure: (asked) => this.#onFailure(asked)
    })
    this.#brokers.set(id, broker)
    return broker
  }

  #onAnswer(lane: FetchLane, { answer, hold }: HeldAnswer, asked: readonly Wanted<Asked>[]): void {
    for (const { broker, host, port } of answer.endpoints) {
      this.#cluster.learnBroker(broker, { host, port })
    }
    let bytes = 0
    for (const { partitions } of answer.topics) {
      for (const { records } of partitions) bytes += records.length
    }
    for (const { partitions, topicId } of answer.topics) {
      for (const partition of partitions) {
        const wanted = lane.session.find(topicId, partition.partition)
        if (wanted === undefined) continue
        const { highWatermark, lastStableOffset } = partition
        lane.session.setEnd(wanted, this.#isReadCommitted ? lastStableOffset : highWatermark)
        const { reading } = wanted.owner
        if (reading.asked !== wanted.owner) continue
        reading.asked = undefined
        this.#take(reading, partition, { bytes, hold })
      }
    }
    // A session leaves out partitions of which it has nothing new to say.
    for (const wanted of asked) this.#confirm(lane, wanted)
    this.#wakeFetch?.()
  }

  #confirm(lane: FetchLane, wanted: Wanted<Asked>): void {
    const { reading } = wanted.owner
    if (reading.asked !== wanted.owner) return
    reading.asked = undefined
    const end = lane.session.end(wanted)
    if (end !== undefined && reading.confirmEnd(end)) this.#ready.add(reading)
  }

  #take(reading: Reading, answer: PartitionAnswer, { bytes, hold }: Whole): void {
    const now = this.#clock.monotonic()
    const size = answer.records.length
    if (reading.isPaused && size > 0 && this.#heldBytes() + size > this.#bytesMax) return
    const isOwn = size > 0 && (reading.isPaused || size < bytes * ownShare)
    const part = isOwn ? { ...answer, records: Buffer.from(answer.records) } : { ...answer, hold }
    const verdict = reading.take(part, { isReadCommitted: this.#isReadCommitted, now })
    if (verdict === 'ready') this.#ready.add(reading)
    else if (verdict === 'range') this.#scout.range(reading)
    else if (verdict === 'leader') {
      this.#cluster.outdated([reading.topic])
      if (answer.leader !== undefined && answer.leader.broker >= 0) {
        this.#cluster.learnLeader(reading, answer.leader)
        if (this.#cluster.known(reading) !== undefined) reading.trouble.succeeded()
      }
    }
  }

  /** Kept for partitions that were paused while they were asked for. */
  #heldBytes(): number {
    let bytes = 0
    for (const reading of this.#ready) if (reading.isPaused) bytes += reading.readyBytes
    return bytes
  }

  #onFailure(asked: readonly Wanted<Asked>[]): void {
    const topics = new Set<string>()
    for (const { owner } of asked) {
      if (owner.reading.asked !== owner) continue
      owner.reading.asked = undefined
      if (!owner.reading.leaveReplica()) topics.add(owner.reading.topic)
      else this.#leadersUntil = this.#clock.monotonic() + leadersMs
    }
    this.#cluster.outdated([...topics])
    this.#wakeFetch?.()
  }

  /** A leader names a replica that is gone until it knows better: for a while it is not asked. */
  #rackNow(): string {
    return this.#clock.monotonic() < this.#leadersUntil ? '' : (this.#parts.rack ?? '')
  }

  #onNews(reading: Reading): void {
    if (reading.isReady) this.#ready.add(reading)
    this.#wakeFetch?.()
  }

  #throwDue(): void {
    for (const reading of this.#readings.values()) {
      if (!reading.isPaused) this.#throwIfDue(reading.trouble, `${placeOf(reading)} cannot be read`)
    }
    for (const [id, { trouble }] of this.#brokers) {
      this.#throwIfDue(trouble, `broker ${id} cannot be read from`)
    }
  }

  #throwIfDue(trouble: FetchTrouble, what: string): void {
    const now = this.#clock.monotonic()
    const due = trouble.due(now)
    if (due === undefined) return
    if (due.isPassing) {
      // One broker that is gone is trouble for each partition that it led: once is enough.
      if (now < this.#quietUntil) return
      this.#quietUntil = now + quietMs
    }
    const lasts = due.lastsMs < 1_000 ? '' : ` for ${Math.round(due.lastsMs / 1_000)} s`
    throw toTailraceError(due.error, `${what}${lasts}`)
  }
}

function isWanting(reading: Reading, now: number): boolean {
  const { asked, isOutOfRange, isPaused, isReady, isSearching, trouble } = reading
  if (isPaused || isOutOfRange || isReady || isSearching || asked !== undefined) return false
  return !trouble.isWaiting(now)
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
