// The fetcher: reads committed bytes of assigned partitions straight into one buffer for each.

import { brokenInvariant, invariant, TailraceError } from '../../core/errors.ts'
import type { Cancel } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import type { FetchedChunk, Fetcher, FetchPosition, TopicPartition } from '../../port/transport.ts'
import { batchStarts, offsetAfter, readPortion, readWhole } from './batches.ts'
import { failureOf, isBusy, isMissing } from './failure.ts'
import type { Place, PartitionState } from './locate.ts'
import { locate, partitionStates, seekBatch } from './locate.ts'
import type { Log } from './log.ts'
import { checkOpen } from './log.ts'

/**
 * Bytes of one chunk at most, unless one batch is larger: reading holds the event loop, and a chunk
 * stays in memory until its last record is finished.
 */
const chunkBytesMax = 256 * 1024
/**
 * A partition's share of an answer at least, as far as the answer goes: shares smaller than a batch
 * would hold nothing, and many partitions behind would each get a file opened for it.
 */
const shareBytesMin = 64 * 1024
/** How often a segment that vanished is looked up anew before it counts as lost. */
const lookUpsMax = 3

interface Reading extends TopicPartition {
  /** Found when first read, and kept: a topic made anew has other ids. */
  id: number | undefined
  /** Its position is said to mean nothing: only a seek goes on from there. */
  isOutOfRange: boolean
  offset: number
  isPaused: boolean
  isAnswered: boolean
  place: Place | undefined
}

interface Ready {
  readonly reading: Reading
  readonly state: PartitionState
  readonly place: Place
  readonly bytesLeft: number
}

export class EmbeddedFetcher implements Fetcher {
  readonly #log: Log
  /** Whoever was served goes to the end of the line, so that a small budget starves none. */
  readonly #readings = new Map<string, Reading>()
  #states: ReadonlyMap<number, PartitionState> = new Map()
  #statesVersion = -1
  #isFetching = false
  #isWoken = false
  #wakeFetch: (() => void) | undefined
  #isOpen = true

  constructor(log: Log) {
    this.#log = log
    log.users.add(this)
  }

  add(positions: readonly FetchPosition[]): void {
    for (const { topic, partition, offset } of positions) {
      const reading = { topic, partition, offset, isPaused: false, isAnswered: false }
      this.#readings.set(nameOf({ topic, partition }), {
        ...reading,
        id: undefined,
        isOutOfRange: false,
        place: undefined
      })
    }
    this.wake()
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#readings.delete(nameOf(partition))
  }

  seek(position: FetchPosition): void {
    const reading = this.#reading(position)
    reading.offset = position.offset
    reading.isOutOfRange = false
    reading.place = undefined
    this.wake()
  }

  pause(partition: TopicPartition): void {
    this.#reading(partition).isPaused = true
  }

  resume(partition: TopicPartition): void {
    this.#reading(partition).isPaused = false
    this.wake()
  }

  async fetch(limits: {
    readonly bytesMax: number
    readonly waitMaxMs: number
  }): Promise<readonly FetchedChunk[]> {
    const { clock } = this.#log
    checkOpen(this.#log, this.#isOpen)
    invariant(!this.#isFetching, 'a fetch was begun while another one is under way')
    this.#isFetching = true
    this.#isWoken = false
    try {
      // Reading is synchronous: without a turn, a reader with much to read would have all of them.
      await clock.turn()
      const deadline = clock.monotonic() + limits.waitMaxMs
      for (;;) {
        if (!this.#isOpen) return []
        const chunks = this.#collectOrBusy(limits.bytesMax)
        if (chunks === 'busy') await pause(clock, 1)
        else if (chunks.length > 0 || this.#isWoken || clock.monotonic() >= deadline) return chunks
        else await this.#sleep(deadline - clock.monotonic())
      }
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
    this.#log.users.delete(this)
    this.#readings.clear()
    this.wake()
  }

  #reading(at: TopicPartition): Reading {
    const reading = this.#readings.get(nameOf(at))
    if (reading === undefined) {
      throw brokenInvariant(`partition ${nameOf(at)} was not added to this fetcher`)
    }
    return reading
  }

  #sleep(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancels: Cancel[] = []
      const done = (): void => {
        this.#wakeFetch = undefined
        for (const cancel of cancels) cancel()
        resolve()
      }
      this.#wakeFetch = done
      cancels.push(this.#log.clock.schedule(timeoutMs, done), this.#log.wakeup.onChange(done))
    })
  }

  #collectOrBusy(bytesMax: number): readonly FetchedChunk[] | 'busy' {
    try {
      return this.#collect(bytesMax)
    } catch (error) {
      // Another process recovers the database after a crash; it takes a moment.
      if (isBusy(error)) return 'busy'
      const { directory } = this.#log.paths
      throw failureOf(error, { verb: 'read', directory, isDefinite: true })
    }
  }

  #collect(bytesMax: number): readonly FetchedChunk[] | 'busy' {
    this.#refresh()
    const chunks: FetchedChunk[] = []
    let bytesLeft = bytesMax
    let behind = this.#countBehind()
    let isFull = false
    let isFirst = true
    for (const reading of [...this.#readings.values()]) {
      if (reading.isPaused || reading.isOutOfRange) continue
      const isBehind = this.#isBehind(reading)
      if (isBehind && isFull) continue
      const found = this.#look(reading)
      if (found !== undefined && 'bytes' in found) chunks.push(found)
      else if (found !== undefined) {
        const share = Math.max(Math.floor(bytesLeft / Math.max(behind, 1)), shareBytesMin)
        const chunk = this.#read(found, { bytesMax: Math.min(share, bytesLeft), isFirst })
        if (chunk !== undefined) chunks.push(chunk)
        else if (isFirst) return chunks.length > 0 ? chunks : 'busy'
        // Too little is left for a batch: whoever is next comes first in the next answer.
        bytesLeft -= chunk?.bytes.length ?? bytesLeft
        isFull = bytesLeft <= 0
        isFirst = false
      }
      if (isBehind) behind--
    }
    return chunks
  }

  /** Partitions that have something to read. */
  #countBehind(): number {
    let behind = 0
    for (const reading of this.#readings.values()) {
      if (reading.isPaused || reading.isOutOfRange) continue
      reading.id ??= this.#log.catalog.partitionId(reading)
      if (this.#isBehind(reading)) behind++
    }
    return behind
  }

  #isBehind({ id, offset }: Reading): boolean {
    const state = id === undefined ? undefined : this.#states.get(id)
    return state !== undefined && offset >= state.start && offset < state.next
  }

  #refresh(): void {
    const { catalog, database } = this.#log
    const version = database.version()
    if (version === this.#statesVersion) return
    catalog.refresh()
    this.#states = partitionStates(database)
    this.#statesVersion = version
  }

  /** What there is to say at once, or where there is something to read. */
  #look(reading: Reading): FetchedChunk | Ready | undefined {
    reading.id ??= this.#log.catalog.partitionId(reading)
    const state = this.#states.get(reading.id)
    if (state === undefined) {
      // Deleted: this throws, unless it was made anew, and there the position means nothing.
      reading.id = this.#log.catalog.partitionId(reading)
      return outOfRange(reading, this.#states.get(reading.id))
    }
    if (reading.offset < state.start || reading.offset > state.next) {
      return outOfRange(reading, state)
    }
    const before = reading.offset
    for (let lookUp = 0; lookUp < lookUpsMax; lookUp++) {
      const found = this.#findPlace(reading, reading.id)
      if (found === 'again') continue
      if (found !== undefined) return found
      // The end. Progress over what compaction took is told even where no record follows.
      const isNews = !reading.isAnswered || reading.offset !== before
      return isNews ? answer(reading, { bytes: noBytes, end: state.next }) : undefined
    }
    throw this.#lost(reading)
  }

  /** Undefined at the end of the partition; `again` when others changed what this looked at. */
  #findPlace(reading: Reading, id: number): Ready | 'again' | undefined {
    const state = this.#states.get(id)
    if (state === undefined) return 'again'
    if (reading.place === undefined && reading.offset >= state.next) return undefined
    const place = reading.place ?? locate(this.#log.database, id, reading.offset)
    if (place === undefined) return undefined
    const isSealedSince = place.sealed === undefined && place.segment.base !== state.segment
    if (isSealedSince) return this.#again(reading)
    const to = place.sealed?.bytes ?? state.position
    if (reading.place === undefined) {
      try {
        seekBatch(this.#log.segments, { place, offset: reading.offset, to })
      } catch (error) {
        if (isMissing(error)) return this.#again(reading)
        throw error
      }
      reading.place = place
    }
    if (place.position < to) return { reading, state, place, bytesLeft: to - place.position }
    if (place.sealed === undefined) return undefined
    this.#log.segments.release(place.segment)
    reading.offset = Math.max(reading.offset, place.sealed.next)
    reading.place = undefined
    return this.#findPlace(reading, id)
  }

  #again(reading: Reading): 'again' {
    reading.place = undefined
    this.#statesVersion = -1
    this.#refresh()
    return 'again'
  }

  /** Undefined when not one batch fits; for the first, when its segment has just gone. */
  #read(
    { reading, state, place, bytesLeft }: Ready,
    { bytesMax, isFirst }: { readonly bytesMax: number; readonly isFirst: boolean }
  ): FetchedChunk | undefined {
    const to = place.position + bytesLeft
    const range = { segment: place.segment, from: place.position, to }
    const read = isFirst ? readPortion : readWhole
    try {
      const bytes = read(this.#log.segments, range, Math.min(bytesMax, chunkBytesMax))
      if (bytes.length === 0) return undefined
      place.position += bytes.length
      for (const at of batchStarts(bytes)) reading.offset = offsetAfter(bytes, at)
      this.#readings.delete(nameOf(reading))
      this.#readings.set(nameOf(reading), reading)
      return answer(reading, { bytes, end: state.next })
    } catch (error) {
      if (!isMissing(error)) throw error
      // Compacted away or deleted since: found anew, or out of range, in the next round.
      this.#again(reading)
      return undefined
    }
  }

  #lost(reading: Reading): TailraceError {
    const { topic, partition, offset } = reading
    return new TailraceError(
      'TAILRACE_TRANSPORT_CORRUPT',
      `the segment file with offset ${offset} of ${nameOf(reading)} is missing`,
      { context: { topic, partition, offset } }
    )
  }
}

const noBytes: Buffer = Buffer.alloc(0)

function answer(
  reading: Reading,
  { bytes, end }: { readonly bytes: Buffer; readonly end: number }
): FetchedChunk {
  reading.isAnswered = true
  const { topic, partition, offset } = reading
  // A segment sealed since the end was read may hold more than that end says.
  return { topic, partition, bytes, nextOffset: offset, end: Math.max(end, offset) }
}

function outOfRange(reading: Reading, state: PartitionState | undefined): FetchedChunk {
  const { topic, partition, offset } = reading
  const start = state?.start ?? 0
  const end = state?.next ?? 0
  reading.isAnswered = true
  reading.isOutOfRange = true
  return {
    topic,
    partition,
    bytes: noBytes,
    nextOffset: offset,
    end,
    outOfRange: { position: offset, start, end }
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
