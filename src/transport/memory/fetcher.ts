// Reads assigned partitions, in turn, and waits where there is nothing.

import { brokenInvariant, invariant } from '../../core/errors.ts'
import type { FetchedChunk, FetchPosition, Fetcher, TopicPartition } from '../../port/transport.ts'
import type { MemoryBroker } from './broker.ts'
import type { Gate } from './gate.ts'
import type { PartitionLog } from './partition-log.ts'

interface Reading extends TopicPartition {
  position: number
  isPaused: boolean
  /** Its lag is known to the reader. */
  isAnswered: boolean
  /** The reader was told that its position is out of range; only a seek goes on from there. */
  isOutOfRange: boolean
  /** What it reads: a topic made anew under its name is another log, with other offsets. */
  log: PartitionLog | undefined
}

export interface FetchLimits {
  readonly bytesMax: number
  readonly waitMaxMs: number
}

const noBytes: Buffer = Buffer.alloc(0)
/** Written over what was released, so that whoever still reads it is found out. */
const gone = 0xdb

export class MemoryFetcher implements Fetcher {
  readonly #broker: MemoryBroker
  readonly #gate: Gate
  readonly #readings = new Map<string, Reading>()
  /** Ends the wait of the fetch under way; true when that fetch shall answer at once. */
  #resumeWait: ((isWoken: boolean) => void) | undefined
  #isFetching = false
  #isWoken = false
  #isClosed = false

  constructor(broker: MemoryBroker, gate: Gate) {
    this.#broker = broker
    this.#gate = gate
  }

  add(positions: readonly FetchPosition[]): void {
    for (const { topic, partition, offset } of positions) {
      this.#readings.set(nameOf({ topic, partition }), {
        topic,
        partition,
        position: offset,
        isPaused: false,
        isAnswered: false,
        isOutOfRange: false,
        log: undefined
      })
    }
    this.#resumeWait?.(false)
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#readings.delete(nameOf(partition))
  }

  seek({ topic, partition, offset }: FetchPosition): void {
    const reading = this.#reading({ topic, partition })
    reading.position = offset
    reading.isOutOfRange = false
    reading.log = undefined
    this.#resumeWait?.(false)
  }

  pause(partition: TopicPartition): void {
    this.#reading(partition).isPaused = true
  }

  resume(partition: TopicPartition): void {
    this.#reading(partition).isPaused = false
    this.#resumeWait?.(false)
  }

  async fetch(limits: FetchLimits): Promise<readonly FetchedChunk[]> {
    if (this.#isClosed) this.#gate.refuse('fetch')
    invariant(!this.#isFetching, 'a second fetch was started while one is under way')
    this.#isFetching = true
    this.#isWoken = false
    try {
      // Whoever fetches in a loop lets input and output have their turn.
      await this.#broker.clock.turn()
      return await this.#gate.pass('fetch', () => this.#fetchOrWait(limits))
    } finally {
      this.#isFetching = false
    }
  }

  wake(): void {
    this.#isWoken = true
    this.#resumeWait?.(true)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.wake()
  }

  async #fetchOrWait({ bytesMax, waitMaxMs }: FetchLimits): Promise<readonly FetchedChunk[]> {
    const deadline = this.#broker.clock.monotonic() + waitMaxMs
    for (;;) {
      const chunks = this.#collect(bytesMax)
      const leftMs = deadline - this.#broker.clock.monotonic()
      if (chunks.length > 0 || leftMs <= 0 || this.#isWoken) return chunks
      await this.#wait(leftMs)
    }
  }

  #wait(waitMaxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (isWoken: boolean): void => {
        this.#resumeWait = undefined
        if (isWoken) this.#isWoken = true
        for (const forget of forgets) forget()
        resolve()
      }
      const forgets = [
        this.#broker.changed.wait(() => end(false)),
        this.#broker.clock.schedule(waitMaxMs, () => end(false)),
        this.#gate.onClose(() => end(true))
      ]
      this.#resumeWait = end
    })
  }

  #collect(bytesMax: number): FetchedChunk[] {
    const chunks: FetchedChunk[] = []
    let bytesLeft = bytesMax
    for (const reading of [...this.#readings.values()]) {
      if (reading.isPaused || reading.isOutOfRange) continue
      if (bytesLeft <= 0) break
      const chunk = this.#read(reading, bytesLeft)
      if (chunk === undefined) continue
      chunks.push(chunk)
      bytesLeft -= chunk.bytes.length
      // What was served goes to the end of the line, so that a busy partition starves none.
      this.#readings.delete(nameOf(reading))
      this.#readings.set(nameOf(reading), reading)
    }
    return chunks
  }

  #read(reading: Reading, bytesMax: number): FetchedChunk | undefined {
    const { topic, partition, position } = reading
    const log = this.#broker.log(reading)
    const { start, end } = log
    const wasAnswered = reading.isAnswered
    reading.isAnswered = true
    reading.log ??= log
    if (reading.log !== log || position < start || position > end) {
      reading.isOutOfRange = true
      const outOfRange = { position, start, end }
      return { topic, partition, bytes: noBytes, nextOffset: position, end, outOfRange }
    }
    if (position === end) {
      if (wasAnswered) return undefined
      return { topic, partition, bytes: noBytes, nextOffset: position, end }
    }
    const { bytes, nextOffset } = log.read(position, bytesMax)
    reading.position = nextOffset
    const own = Buffer.from(bytes)
    return { topic, partition, bytes: own, nextOffset, end, release: () => void own.fill(gone) }
  }

  #reading(partition: TopicPartition): Reading {
    const reading = this.#readings.get(nameOf(partition))
    if (reading === undefined) {
      throw brokenInvariant(`${nameOf(partition)} is not among the fetched partitions`)
    }
    return reading
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
