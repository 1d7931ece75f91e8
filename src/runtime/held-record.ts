// Data plane. A record that is worked on while its queue goes on: its bytes stay until it is done.
import type { BatchCursor } from '../core/batch-cursor.ts'
import type { FetchedChunk, TopicPartition } from '../port/transport.ts'

/** A record where it stands in fetched bytes. */
export interface RecordPlace extends TopicPartition {
  readonly cursor: BatchCursor
  /** A copy of its key, which may be kept. */
  keyBytes(): Buffer | null
  /** A copy of its value, which may be kept. */
  valueBytes(): Buffer | null
  /** A second cursor that begins at the record, for looking ahead; undefined where none does. */
  lookAhead(): BatchCursor | undefined
}

interface Held {
  /** Records of it that are not done. */
  open: number
  /** Its queue has handed out all of it. */
  isWalked: boolean
}

/** Chunks of which records are worked on: one is free when its last record is done. */
export class ChunkHolds {
  readonly #held = new Map<FetchedChunk, Held>()
  readonly #free: (chunk: FetchedChunk) => void

  constructor(free: (chunk: FetchedChunk) => void) {
    this.#free = free
  }

  hold(chunk: FetchedChunk): void {
    const held = this.#held.get(chunk)
    if (held === undefined) this.#held.set(chunk, { open: 1, isWalked: false })
    else held.open++
  }

  letGo(chunk: FetchedChunk): void {
    const held = this.#held.get(chunk)
    if (held === undefined) return
    held.open--
    this.#end(chunk, held)
  }

  walked(chunk: FetchedChunk): void {
    const held = this.#held.get(chunk) ?? { open: 0, isWalked: true }
    held.isWalked = true
    this.#end(chunk, held)
  }

  #end(chunk: FetchedChunk, { isWalked, open }: Held): void {
    if (!isWalked || open > 0) return
    this.#held.delete(chunk)
    this.#free(chunk)
  }
}

const noBytes: Buffer = Buffer.alloc(0)

interface HeldParts {
  readonly cursor: BatchCursor
  readonly chunk: FetchedChunk
  readonly holds: ChunkHolds
}

export class HeldRecord implements RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly cursor: BatchCursor
  /** Of the chunk it is in. */
  readonly leaderEpoch: number | undefined
  /** Until it is let go. */
  #chunk: FetchedChunk | undefined
  readonly #holds: ChunkHolds

  constructor({ partition, topic }: TopicPartition, { chunk, cursor, holds }: HeldParts) {
    this.topic = topic
    this.partition = partition
    this.cursor = cursor
    this.leaderEpoch = chunk.leaderEpoch
    this.#chunk = chunk
    this.#holds = holds
    holds.hold(chunk)
  }

  keyBytes(): Buffer | null {
    return copyOf(this.cursor.key())
  }

  valueBytes(): Buffer | null {
    return copyOf(this.cursor.value())
  }

  lookAhead(): undefined {
    return undefined
  }

  /** Nobody reads its bytes any more; its offset and its time are still asked for. */
  letGo(): void {
    const chunk = this.#chunk
    if (chunk === undefined) return
    // It may wait long for its turn, and must not keep memory that counts as free.
    this.#chunk = undefined
    this.cursor.bytes = noBytes
    this.#holds.letGo(chunk)
  }
}

export function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes && Buffer.from(bytes)
}
