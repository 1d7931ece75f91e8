// One partition that is read: its position, what was asked and answered, what stands in the way.

import { TailraceError } from '../../core/errors.ts'
import type { FetchedChunk, FetchPosition, TopicPartition } from '../../port/transport.ts'
import type { AnswerHold } from './answer-rooms.ts'
import type { PartitionAnswer } from './fetch-answer.ts'
import { FetchTrouble } from './fetch-trouble.ts'
import type { PartitionLeader } from './metadata.ts'
import { KafkaFailure, kafka } from './protocol-failure.ts'
import { DeliverableRecords } from './read-committed.ts'

/** One request's question about one partition. Another one, or none, is current after a seek. */
export interface Asked {
  readonly reading: Reading
}

/** What an answer asks for next. */
export type Verdict =
  | 'ready'
  | 'nothing'
  | 'again'
  /** Who leads is to be asked anew. */
  | 'leader'
  /** The position means nothing: where the log begins and ends is to be asked. */
  | 'range'
  | 'refused'

/** A nearer replica is left after so long, so that a nearer one yet is found. */
const replicaMs = 300_000
const corruptMessage = 2

export class Reading implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly trouble: FetchTrouble = new FetchTrouble()
  position: number
  /** Readable end as last told; -1 before that. */
  end = -1
  isPaused = false
  isAnswered = false
  /** Said to be out of range: only a seek goes on from there. */
  isOutOfRange = false
  /** Raised by a seek: what was begun before speaks of another position. */
  version = 0
  asked: Asked | undefined
  /** A leader or a range is being asked for. */
  isSearching = false
  /** A chunk without records that is to be handed out. */
  word: FetchedChunk | undefined
  records: DeliverableRecords | undefined
  /** Keeps the memory of `records`. */
  #hold: AnswerHold | undefined
  /** As the metadata writes it, and as a request does. A topic made anew has another. */
  topicId: { readonly text: string; readonly hex: string } | undefined
  #replica: { readonly broker: number; readonly until: number } | undefined
  #leaderEpoch = -1
  /** Leader epoch of the last record read, now or before the position was committed; or -1. */
  #lastEpoch: number
  /** The leader changed: the log may have been cut below the position. */
  #isUnchecked = false

  /** The topic is another under the same name: no position of before means anything in it. */
  #isMadeAnew = false

  constructor(from: FetchPosition, topicId?: Reading['topicId']) {
    const { topic, partition, offset, leaderEpoch = -1 } = from
    this.topic = topic
    this.partition = partition
    this.position = offset
    this.topicId = topicId
    // The first leader that is found is a new one to it.
    this.#lastEpoch = leaderEpoch
  }

  get isAtEnd(): boolean {
    return this.end >= 0 && this.position >= this.end
  }

  /** Something waits to be handed out. */
  get isReady(): boolean {
    return this.word !== undefined || this.records !== undefined
  }

  get readyBytes(): number {
    return this.records?.bytesLeft ?? 0
  }

  get lastFetchedEpoch(): number {
    return this.#isUnchecked ? this.#lastEpoch : -1
  }

  seek({ leaderEpoch = -1, offset }: Pick<FetchPosition, 'leaderEpoch' | 'offset'>): void {
    this.forget()
    this.position = offset
    this.isOutOfRange = false
    this.#lastEpoch = leaderEpoch
    this.#isUnchecked = leaderEpoch >= 0
    this.#isMadeAnew = false
  }

  /** What was asked and answered so far counts no more. */
  forget(): void {
    this.version++
    this.asked = undefined
    this.word = undefined
    this.records = undefined
    this.#letGo()
    this.isSearching = false
  }

  /** False when the topic was made anew, until that is said and another position sought. */
  follow(leader: PartitionLeader): boolean {
    const before = this.topicId?.text
    if (before !== leader.topicId) {
      this.topicId = { text: leader.topicId, hex: leader.topicId.replaceAll('-', '') }
      if (before !== undefined) this.#isMadeAnew = true
    }
    if (this.#isMadeAnew) return false
    if (this.#leaderEpoch !== leader.leaderEpoch) {
      this.#leaderEpoch = leader.leaderEpoch
      this.#isUnchecked = this.#lastEpoch >= 0
    }
    return true
  }

  /** Whom to read from: the leader, or a replica that it named. */
  source(leader: PartitionLeader, now: number): number {
    if (this.#replica !== undefined && now >= this.#replica.until) this.#replica = undefined
    return this.#replica?.broker ?? leader.broker
  }

  /** The broker is gone, or refuses. True when it was not the leader, who is asked next. */
  leaveReplica(): boolean {
    const hadReplica = this.#replica !== undefined
    this.#replica = undefined
    return hadReplica
  }

  /** Takes what was answered, and judges it. Without `hold` the records have their own memory. */
  take(
    answer: PartitionAnswer & { readonly hold?: AnswerHold | undefined },
    { isReadCommitted, now }: { readonly isReadCommitted: boolean; readonly now: number }
  ): Verdict {
    if (answer.errorCode !== kafka.none) return this.#takeError(answer, now)
    if (answer.divergesAt !== undefined) {
      this.#isUnchecked = false
      return answer.divergesAt < this.position ? 'range' : 'again'
    }
    if (answer.preferredReplica >= 0) {
      this.#replica = { broker: answer.preferredReplica, until: now + replicaMs }
      return 'again'
    }
    this.trouble.succeeded()
    this.#isUnchecked = false
    this.end = isReadCommitted ? answer.lastStableOffset : answer.highWatermark
    if (answer.records.length === 0) return this.confirmEnd(this.end) ? 'ready' : 'nothing'
    const { aborted, hold, records } = answer
    const { position } = this
    this.records = new DeliverableRecords({ records, position, aborted, isReadCommitted })
    this.#letGo()
    this.#hold = hold
    hold?.retain()
    return 'ready'
  }

  /** The broker has nothing beyond `end`. True when that is news, for a first answer. */
  confirmEnd(end: number): boolean {
    this.end = end
    if (this.isAnswered || this.position < end) return false
    this.word = this.#chunk(noBytes)
    return true
  }

  sayOutOfRange({ start, end }: { readonly start: number; readonly end: number }): void {
    const { position } = this
    this.isOutOfRange = true
    this.end = end
    this.word = { ...this.#chunk(noBytes), end, outOfRange: { position, start, end } }
  }

  /**
   * Hands out what waits; undefined when there turns out to be nothing in it.
   *
   * @throws TAILRACE_TRANSPORT_CORRUPT, as often as it is asked for
   */
  handOut(bytesMax: number): FetchedChunk | undefined {
    const { records, word } = this
    if (word !== undefined) {
      this.word = undefined
      this.isAnswered = true
      return word
    }
    if (records === undefined) return undefined
    const before = this.position
    const { bytes, nextOffset } = records.take(bytesMax)
    this.position = nextOffset
    if (records.leaderEpoch >= 0) this.#lastEpoch = records.leaderEpoch
    const hold = this.#hold
    const release = hold && bytes.buffer === records.source.buffer ? held(hold) : undefined
    if (records.isEmpty) {
      this.records = undefined
      this.#letGo()
    }
    // Progress over what is not for delivery is told, and a first answer at the end.
    if (bytes.length === 0 && nextOffset === before && (this.isAnswered || !this.isAtEnd)) {
      return undefined
    }
    this.isAnswered = true
    return { ...this.#chunk(bytes), ...(release && { release }) }
  }

  #letGo(): void {
    this.#hold?.release()
    this.#hold = undefined
  }

  #takeError(answer: PartitionAnswer, now: number): Verdict {
    if (this.leaveReplica()) return 'again'
    if (answer.errorCode === kafka.offsetOutOfRange) return 'range'
    if (answer.errorCode === corruptMessage) {
      this.trouble.failed(this.#corrupt(), now)
      return 'refused'
    }
    const failure = new KafkaFailure(answer.errorCode, placeOf(this), { right: 'READ' })
    this.trouble.failed(failure, now)
    if (failure.isStaleMetadata) return 'leader'
    return failure.isRetriable ? 'again' : 'refused'
  }

  #corrupt(): TailraceError {
    const { topic, partition, position: offset } = this
    return new TailraceError(
      'TAILRACE_TRANSPORT_CORRUPT',
      `${placeOf(this)}: the broker found damage in its log from offset ${offset} on`,
      { context: { topic, partition, offset } }
    )
  }

  #chunk(bytes: Buffer): FetchedChunk {
    const { topic, partition, position: nextOffset, end } = this
    const leaderEpoch = this.#lastEpoch < 0 ? undefined : this.#lastEpoch
    return { topic, partition, bytes, nextOffset, end: Math.max(end, nextOffset), leaderEpoch }
  }
}

const noBytes: Buffer = Buffer.alloc(0)

function held(hold: AnswerHold): () => void {
  hold.retain()
  return () => hold.release()
}

export function placeOf({ topic, partition }: TopicPartition): string {
  return `${JSON.stringify(topic)} partition ${partition}`
}

/** The error of a batch, told with the place that only its reader knows. */
export function atPlace(error: TailraceError, { topic, partition }: TopicPartition): TailraceError {
  return error.within(placeOf({ topic, partition }), { topic, partition })
}
