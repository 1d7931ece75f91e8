// What is fetched from one broker: what has records and what waits for some go separate ways.

import type { Clock } from '../../port/clock.ts'
import type { HeldAnswer, LaneParts, LaneRequest } from './fetch-lane.ts'
import { FetchLane } from './fetch-lane.ts'
import type { Asked, Reading } from './fetch-reading.ts'
import type { Wanted } from './fetch-session.ts'
import type { LaneNumbers } from './fetch-numbers.ts'
import { FetchTrouble } from './fetch-trouble.ts'

export interface BrokerParts extends Omit<LaneParts, 'number'> {
  readonly clock: Clock
  readonly numbers: LaneNumbers
  readonly partitionBytesMax: number
  readonly onAnswer: (lane: FetchLane, held: HeldAnswer, asked: readonly Wanted<Asked>[]) => void
  /** The broker could not be asked. */
  readonly onFailure: (asked: readonly Wanted<Asked>[]) => void
}

/** A reading that may be asked for, and what its leader is known by. */
export interface Candidate {
  readonly reading: Reading
  readonly leaderEpoch: number
  readonly topicId: string
}

export interface AskLimits {
  readonly waitMaxMs: number
  readonly bytesMax: number
}

/**
 * A broker holds back the answer of a long poll, and whatever is asked behind it on the same
 * connection. So partitions that are added, sought or resumed meanwhile are asked for on a second
 * one, until the long poll is answered and can take them in.
 */
export class FetchBroker {
  readonly trouble: FetchTrouble = new FetchTrouble()
  readonly #parts: BrokerParts
  readonly #main: FetchLane
  readonly #numbers: number[] = []
  #quick: FetchLane | undefined
  #isClosed = false

  constructor(parts: BrokerParts) {
    this.#parts = parts
    this.#main = this.#lane()
  }

  /** Asks for what is not asked for yet, if a connection is free for it. */
  ask(candidates: readonly Candidate[], { bytesMax, waitMaxMs }: AskLimits): void {
    if (this.#isClosed || candidates.length === 0) return
    if (!this.#main.isBusy) this.#send(this.#main, candidates, { bytesMax, waitMaxMs })
    else if (this.#main.isLongPoll) {
      this.#quick ??= this.#lane()
      if (this.#quick.isBusy) return
      const waitMs = Math.min(waitMaxMs, quickWaitMs)
      this.#send(this.#quick, candidates, { bytesMax, waitMaxMs: waitMs })
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([this.#main.close(), this.#quick?.close()])
    // Not before: whoever takes a number takes what is open under it.
    for (const number of this.#numbers) this.#parts.numbers.giveBack(number)
  }

  #lane(): FetchLane {
    const number = this.#parts.numbers.take()
    this.#numbers.push(number)
    return new FetchLane({ ...this.#parts, number })
  }

  #send(
    lane: FetchLane,
    candidates: readonly Candidate[],
    { bytesMax, waitMaxMs }: AskLimits
  ): void {
    let isLongPoll = true
    let isNews = false
    const wanted = candidates.map(({ reading, leaderEpoch, topicId }): Wanted<Asked> => {
      isLongPoll &&= reading.isAtEnd
      isNews ||= !reading.isAnswered
      const owner = { reading }
      reading.asked = owner
      return {
        topicId,
        owner,
        partition: reading.partition,
        leaderEpoch,
        offset: reading.position,
        lastFetchedEpoch: reading.lastFetchedEpoch,
        bytesMax: this.#parts.partitionBytesMax
      }
    })
    // The first answer of a partition says that it is empty, and is not waited for.
    const waitMs = isNews ? 0 : waitMaxMs
    isLongPoll &&= waitMs > 0
    void this.#exchange(lane, { wanted, waitMaxMs: waitMs, bytesMax, isLongPoll })
  }

  async #exchange(lane: FetchLane, request: LaneRequest): Promise<void> {
    const { clock, onAnswer, onFailure } = this.#parts
    try {
      const held = await lane.exchange(request)
      this.trouble.succeeded()
      if (!this.#isClosed) onAnswer(lane, held, request.wanted)
      held.hold?.release()
    } catch (error) {
      if (this.#isClosed) return
      this.trouble.failed(error, clock.monotonic())
      onFailure(request.wanted)
    }
  }
}

/** Short, as it holds up the next partition that comes as the long poll held up this one. */
const quickWaitMs = 50
