// A fetch session (KIP-227): the broker remembers what was asked; only what changed is sent again.

import type { PartitionAsk, SessionMark, TopicPart } from './fetch-request.ts'

/** What is wanted of one partition, and of whom it is. */
export interface Wanted<Owner> extends PartitionAsk {
  readonly topicId: string
  readonly owner: Owner
}

export interface SessionAsk {
  readonly session: SessionMark
  readonly topics: readonly TopicPart<PartitionAsk>[]
  readonly forgotten: readonly TopicPart<number>[]
}

interface Sent<Owner> {
  wanted: Wanted<Owner>
  round: number
  /** Readable end as the broker last told it: it stays silent while that is so. */
  end: number | undefined
}

const epochMax = 0x7fff_ffff

export class FetchSession<Owner> {
  readonly #sent = new Map<string, Map<number, Sent<Owner>>>()
  #id = 0
  #epoch = 0
  #round = 0

  /** True while the next request has to name every partition. */
  get isFull(): boolean {
    return this.#epoch === 0
  }

  /** The next request, which leaves the session expecting exactly what is wanted. */
  ask(wanted: readonly Wanted<Owner>[]): SessionAsk {
    this.#round++
    const isFull = this.isFull
    if (isFull) this.#sent.clear()
    const topics = new Grouping<PartitionAsk>()
    for (const one of wanted) if (this.#note(one) || isFull) topics.add(one.topicId, one)
    const forgotten = new Grouping<number>()
    for (const [topicId, partitions] of this.#sent) {
      for (const [partition, { round }] of partitions) {
        if (round === this.#round) continue
        partitions.delete(partition)
        forgotten.add(topicId, partition)
      }
      if (partitions.size === 0) this.#sent.delete(topicId)
    }
    const session = { id: this.#id, epoch: this.#epoch }
    return { session, topics: topics.parts(), forgotten: forgotten.parts() }
  }

  /** The broker took the last request: the session goes on, or was not granted. */
  accept(sessionId: number): void {
    if (sessionId === 0) {
      this.#id = 0
      this.#epoch = 0
    } else {
      this.#epoch = sessionId === this.#id && this.#epoch < epochMax ? this.#epoch + 1 : 1
      this.#id = sessionId
    }
  }

  /** The next request is full again. A session the broker still has is ended by it. */
  reset(options: { readonly isGone: boolean }): void {
    if (options.isGone) this.#id = 0
    this.#epoch = 0
  }

  /** The mark that ends the session, or undefined when there is none. */
  ending(): SessionMark | undefined {
    return this.#id === 0 ? undefined : { id: this.#id, epoch: -1 }
  }

  /** Whose partition an answer is about; undefined for one no longer asked for. */
  find(topicId: string, partition: number): Wanted<Owner> | undefined {
    return this.#sent.get(topicId)?.get(partition)?.wanted
  }

  setEnd(at: Wanted<Owner>, end: number): void {
    const sent = this.#sent.get(at.topicId)?.get(at.partition)
    if (sent !== undefined) sent.end = end
  }

  /** The end that an answer without this partition confirms. */
  end(at: Wanted<Owner>): number | undefined {
    return this.#sent.get(at.topicId)?.get(at.partition)?.end
  }

  /** True when the broker does not know this yet. */
  #note(wanted: Wanted<Owner>): boolean {
    let partitions = this.#sent.get(wanted.topicId)
    if (partitions === undefined) {
      partitions = new Map()
      this.#sent.set(wanted.topicId, partitions)
    }
    const sent = partitions.get(wanted.partition)
    if (sent === undefined) {
      partitions.set(wanted.partition, { wanted, round: this.#round, end: undefined })
      return true
    }
    const before = sent.wanted
    sent.wanted = wanted
    sent.round = this.#round
    return (
      before.offset !== wanted.offset ||
      before.leaderEpoch !== wanted.leaderEpoch ||
      before.lastFetchedEpoch !== wanted.lastFetchedEpoch ||
      before.bytesMax !== wanted.bytesMax
    )
  }
}

/** Partitions by topic, in the order in which each topic came first. */
class Grouping<T> {
  readonly #byTopic = new Map<string, T[]>()

  add(topicId: string, partition: T): void {
    const found = this.#byTopic.get(topicId)
    if (found === undefined) this.#byTopic.set(topicId, [partition])
    else found.push(partition)
  }

  parts(): readonly TopicPart<T>[] {
    return [...this.#byTopic].map(([topicId, partitions]) => ({ topicId, partitions }))
  }
}
