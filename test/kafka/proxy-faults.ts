// What a proxy does to chosen requests, and to which: decided once, for all its connections.

/** Requests that faults are made for, by Kafka's names and keys. */
export const apis = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  ApiVersions: 18,
  CreateTopics: 19,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28
} as const

export type Api = keyof typeof apis

/**
 * - `lose-request`: the broker never sees it; the connection is cut.
 * - `lose-answer`: the broker does it; the connection is cut instead of the answer.
 * - `swallow-answer`: the broker does it; the answer never comes, and the connection stays.
 * - `late-request`: the connection is cut, and the broker sees it at `release`, from nobody.
 * - `hold-request`: neither it nor what follows on its connection goes on before `release`.
 * - `hold-answer`: the broker does it; its answer and those behind it wait for `release`.
 */
export type FaultKind =
  | 'lose-request'
  | 'lose-answer'
  | 'swallow-answer'
  | 'late-request'
  | 'hold-request'
  | 'hold-answer'

export interface FaultOptions {
  /** Requests that pass before the first that is harmed; default 0. */
  readonly skip?: number
  /** Requests that are harmed; default 1. */
  readonly count?: number
}

export class Fault {
  readonly kind: FaultKind
  readonly key: number
  /** When the first request was lost, swallowed or held. */
  readonly happened: Promise<void>
  /** Settles when held traffic may go on; at once for other kinds of fault. */
  readonly released: Promise<void>
  #skip: number
  #left: number
  #hasHappened = false
  readonly #happen: () => void
  readonly #release: () => void

  constructor(api: Api, kind: FaultKind, { count = 1, skip = 0 }: FaultOptions) {
    this.kind = kind
    this.key = apis[api]
    this.#skip = skip
    this.#left = count
    const happened = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    this.happened = happened.promise
    this.released = released.promise
    this.#happen = happened.resolve
    this.#release = released.resolve
  }

  /** True when this request is one of those to harm. */
  takes(key: number): boolean {
    if (key !== this.key || this.#left === 0) return false
    if (this.#skip > 0) {
      this.#skip--
      return false
    }
    this.#left--
    return true
  }

  get hasHappened(): boolean {
    return this.#hasHappened
  }

  strike(): void {
    this.#hasHappened = true
    this.#happen()
  }

  release(): void {
    this.#release()
  }

  /** Harms no more, and lets go of what it holds. */
  end(): void {
    this.#left = 0
    this.#release()
  }
}
