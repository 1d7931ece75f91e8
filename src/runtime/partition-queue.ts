// Data plane. Fetched records of one partition that wait for their task; bounded, parsed lazily.
import { BatchCursor } from '../core/batch-cursor.ts'
import { invariant, TailraceError } from '../core/errors.ts'
import type { FetchedChunk, TopicPartition } from '../port/transport.ts'
import { ChunkHolds, copyOf, HeldRecord, type RecordPlace } from './held-record.ts'

export class PartitionQueue implements RecordPlace {
  readonly topic: string
  readonly partition: number
  /** The current record, when `peek` said there is one. */
  readonly cursor: BatchCursor = new BatchCursor()
  /** The next offset to hand out: everything below is finished or being worked on. */
  position: number
  /**
   * Leader epoch for `position`: of the chunk it is in. That may be above the one of the record
   * before it, and tells of the same cuts: a later leader made them.
   */
  leaderEpoch: number | undefined
  /** Where fetching goes on. */
  fetchPosition: number
  /** Leader epoch for `fetchPosition`. */
  fetchEpoch: number | undefined
  /** Readable end of the partition as last seen. */
  end: number
  /** Highest event time handed out and finished. */
  streamTime: number = Number.NEGATIVE_INFINITY
  isPaused = false
  /** False until the log answered once: before that, an empty queue says nothing about lag. */
  isAnswered = false
  #chunks: FetchedChunk[] = []
  #bytes = 0
  #isLoaded = false
  #isInChunk = false
  /** Where the log goes on behind what was fetched: it has lost what was between, or is another. */
  #jump: number | undefined
  /** Chunks that begin elsewhere than where the one before them ended. */
  readonly #begins = new WeakMap<FetchedChunk, number>()
  /** Where records are worked on beside each other; else a chunk ends with its last record. */
  readonly #holds: ChunkHolds | undefined
  /** Called when bytes of finished records are gone. */
  onFreed: () => void = () => undefined

  /** `holdsRecords`: they are taken, and worked on beside each other. */
  constructor(
    partition: TopicPartition,
    position: number,
    { holdsRecords = false }: { readonly holdsRecords?: boolean } = {}
  ) {
    this.#holds = holdsRecords ? new ChunkHolds((chunk) => this.#free(chunk)) : undefined
    this.topic = partition.topic
    this.partition = partition.partition
    this.position = position
    this.fetchPosition = position
    this.end = position
  }

  /** Goes on from here, before anything was fetched. */
  beginAt(position: number, leaderEpoch?: number): void {
    this.position = position
    this.leaderEpoch = leaderEpoch
    this.fetchPosition = position
    this.fetchEpoch = leaderEpoch
  }

  push(chunk: FetchedChunk): void {
    this.isAnswered = true
    this.end = chunk.end
    this.fetchEpoch = chunk.leaderEpoch
    if (chunk.bytes.length === 0) {
      this.fetchPosition = Math.max(this.fetchPosition, chunk.nextOffset)
      if (this.#chunks.length === 0 && !this.#isLoaded) {
        this.position = Math.max(this.position, this.fetchPosition)
        this.leaderEpoch = this.fetchEpoch
      }
      return
    }
    this.fetchPosition = chunk.nextOffset
    if (this.#jump !== undefined) this.#begins.set(chunk, this.#jump)
    this.#jump = undefined
    this.#chunks.push(chunk)
    this.#bytes += chunk.bytes.length
  }

  /** Fetching goes on at `offset`, forward or back; what was fetched before is handed out first. */
  jumpTo(offset: number): void {
    this.fetchPosition = offset
    this.fetchEpoch = undefined
    this.#jump = offset
    this.#land()
  }

  #land(): void {
    if (this.#jump === undefined || this.#chunks.length > 0 || this.#isLoaded) return
    this.position = this.#jump
    this.leaderEpoch = undefined
    this.#jump = undefined
  }

  /** Bytes fetched whose records are not all finished. */
  get bytes(): number {
    return this.#bytes
  }

  /** Records fetched at most: offsets may have gaps. */
  get records(): number {
    return this.fetchPosition - this.position
  }

  /** Records between here and the readable end. */
  get lag(): number {
    return Math.max(0, this.end - this.position)
  }

  /** Loads the next record into the cursor; false when none was fetched yet. */
  peek(): boolean {
    if (this.#isLoaded) return true
    for (;;) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) {
        this.#land()
        return false
      }
      if (!this.#isInChunk) {
        this.position = this.#begins.get(chunk) ?? this.position
        this.leaderEpoch = chunk.leaderEpoch
        this.cursor.reset(chunk.bytes, this.position)
        this.#isInChunk = true
      }
      if (this.#next()) {
        this.#isLoaded = true
        return true
      }
      this.#chunks.shift()
      this.#isInChunk = false
      if (this.#holds === undefined) this.#free(chunk)
      else this.#holds.walked(chunk)
      // Gaps that compaction left at the end of a chunk hold nothing to wait for.
      this.position = Math.max(this.position, chunk.nextOffset)
    }
  }

  // Each of its records is finished, and what outlives a record is a copy.
  #free(chunk: FetchedChunk): void {
    this.#bytes -= chunk.bytes.length
    chunk.release?.()
    this.onFreed()
  }

  // A cursor sees bytes alone: which partition they are of is known here.
  #next(): boolean {
    try {
      return this.cursor.next()
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error
      const { partition, topic } = this
      throw error.within(`"${topic}" partition ${partition}`, { topic, partition })
    }
  }

  /** A copy of the current record's key, which may be kept. */
  keyBytes(): Buffer | null {
    return copyOf(this.cursor.key())
  }

  /** A copy of the current record's value, which may be kept. */
  valueBytes(): Buffer | null {
    return copyOf(this.cursor.value())
  }

  /** The current record is handed out for good: the next one is after it. */
  advance(): void {
    this.position = this.cursor.offset + 1
    this.#isLoaded = false
  }

  /** The current record, to be kept while the queue goes on; its holder lets go of it. */
  take(): HeldRecord {
    const [chunk] = this.#chunks
    invariant(chunk !== undefined && this.#holds !== undefined, 'a queue has nothing to take')
    this.advance()
    return new HeldRecord(this, { cursor: this.cursor.copy(), chunk, holds: this.#holds })
  }

  /** A second cursor that begins at the current record, for looking ahead. */
  lookAhead(): BatchCursor | undefined {
    const chunk = this.#chunks[0]
    if (chunk === undefined) return undefined
    const ahead = new BatchCursor()
    ahead.reset(chunk.bytes, this.cursor.offset)
    return ahead
  }
}
