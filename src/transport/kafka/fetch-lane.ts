// One connection that fetches from one broker: its session, and the one request under way.

import { type AnswerHold, AnswerRooms } from './answer-rooms.ts'
import type { Cluster } from './cluster.ts'
import type { FetchAnswer } from './fetch-answer.ts'
import { decodeFetch } from './fetch-answer.ts'
import type { Asked } from './fetch-reading.ts'
import { encodeFetch, fetchKey, fetchVersion } from './fetch-request.ts'
import type { Wanted } from './fetch-session.ts'
import { FetchSession } from './fetch-session.ts'
import type { Link } from './link.ts'
import { KafkaFailure, kafka } from './protocol-failure.ts'

export interface LaneParts {
  readonly cluster: Cluster
  readonly broker: number
  /** Names this lane's connection among all of the cluster. */
  readonly number: number
  readonly isReadCommitted: boolean
  /** Where this process is, for the next request. */
  readonly rackNow: () => string
  /** For an answer, beyond the time that the broker may wait. */
  readonly answerMsMax: number
}

export interface LaneRequest {
  readonly wanted: readonly Wanted<Asked>[]
  readonly waitMaxMs: number
  readonly bytesMax: number
  /** Everything asked for was at its end: the answer may take the whole time. */
  readonly isLongPoll: boolean
}

/** An answer, and its memory where that is to be given back. */
export interface HeldAnswer {
  readonly answer: FetchAnswer
  readonly hold: AnswerHold | undefined
}

const endMsMax = 1_000

const gone = {
  fetchSessionIdNotFound: 70,
  invalidFetchSessionEpoch: 71,
  topicIdError: 106
} as const
const sessionErrors: ReadonlySet<number> = new Set(Object.values(gone))

export class FetchLane {
  readonly session: FetchSession<Asked> = new FetchSession<Asked>()
  readonly #parts: LaneParts
  readonly #rooms = new AnswerRooms()
  #link: Link | undefined
  #request: LaneRequest | undefined
  #exchanging: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(parts: LaneParts) {
    this.#parts = parts
  }

  get isBusy(): boolean {
    return this.#request !== undefined
  }

  get isLongPoll(): boolean {
    return this.#request?.isLongPoll === true
  }

  /**
   * Sends a request; the answer has no partitions when the session must begin anew.
   *
   * @throws KafkaFailure
   */
  async exchange(request: LaneRequest): Promise<HeldAnswer> {
    this.#request = request
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#exchanging = promise
    try {
      const link = await this.#open()
      const body = await this.#send(link, request)
      const hold = this.#rooms.hold(body)
      if (hold === undefined) this.#rooms.shrink()
      const answer = decodeFetch(body)
      link.throttle(answer.throttleMs)
      this.#judge(answer)
      return { answer, hold }
    } catch (error) {
      // Whether the broker took the request is not known, so neither what its session holds.
      this.session.reset({ isGone: false })
      throw error
    } finally {
      this.#request = undefined
      resolve()
    }
  }

  /** Resolves when the connection is closed; the session is ended where nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    const link = this.#link
    if (!this.isBusy && link?.isOpen === true) await this.#endSession(link)
    link?.close()
    await this.#exchanging
  }

  async #endSession(link: Link): Promise<void> {
    const session = this.session.ending()
    if (session === undefined) return
    const body = encodeFetch({ ...this.#head, waitMaxMs: 0, bytesMax: 1, session, ...nothing })
    try {
      await link.request(fetchKey, fetchVersion, [body], { timeoutMs: endMsMax })
    } catch {
      // The broker drops sessions that nobody uses: this only spares it the time until then.
    }
  }

  get #head(): { readonly isReadCommitted: boolean; readonly rack: string } {
    const { isReadCommitted, rackNow } = this.#parts
    return { isReadCommitted, rack: rackNow() }
  }

  async #open(): Promise<Link> {
    if (this.#link?.isOpen !== true) {
      const { broker, cluster, number } = this.#parts
      const link = await cluster.link(broker, `fetch-${number}`)
      if (this.#isClosed) link.close()
      link.receiveInto((bytes) => this.#rooms.take(bytes))
      this.#link = link
    }
    return this.#link
  }

  #send(link: Link, { bytesMax, waitMaxMs, wanted }: LaneRequest): Promise<Buffer> {
    const body = encodeFetch({ ...this.#head, waitMaxMs, bytesMax, ...this.session.ask(wanted) })
    const timeoutMs = waitMaxMs + this.#parts.answerMsMax
    return link.request(fetchKey, fetchVersion, [body], { timeoutMs })
  }

  #judge({ errorCode, sessionId }: FetchAnswer): void {
    if (errorCode === kafka.none) this.session.accept(sessionId)
    else if (sessionErrors.has(errorCode)) {
      this.session.reset({ isGone: errorCode === gone.fetchSessionIdNotFound })
    } else throw new KafkaFailure(errorCode, `fetching from broker ${this.#parts.broker}`)
  }
}

const nothing = { topics: [], forgotten: [] } as const
