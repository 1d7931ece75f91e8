// Data plane. Fetches for the worker's tasks into their queues; a full queue pauses its partition,
// never the worker.
import { type Clock, pause } from '../port/clock.ts'
import { failpoint } from '../port/failpoint.ts'
import type { FetchedChunk, Fetcher, TopicPartition } from '../port/transport.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { Schedulable } from './task-host.ts'

export interface IntakeParts {
  readonly fetcher: Fetcher
  readonly clock: Clock
  readonly fetchBytesMax: number
  readonly queueBytesMax: number
  readonly queueRecordsMax: number
  readonly kick: (task: Schedulable) => void
  /** Where to go on when a position is not in the log; undefined when the worker is to stop. */
  readonly onOutOfRange: (queue: PartitionQueue, chunk: FetchedChunk) => number | undefined
  readonly onError: (error: unknown) => void
  /** The log is asked. */
  readonly onPoll: () => void
}

interface Fed {
  readonly queue: PartitionQueue
  readonly task: Schedulable
  /** The first fetch whose chunks are its own: one under way may answer an earlier opening. */
  readonly firstFetch: number
}

// One answer's bytes. The next is on its way while these are worked through: a quarter of a second
// of a fast worker, which is how long a broker now and then has no time.
const fetchBytes = 8 * 1_048_576
const fetchWaitMs = 500
/** A paused partition goes on when its queue has shrunk to this share of its limits. */
const resumeShare = 0.5

export class Intake {
  readonly #parts: IntakeParts
  readonly #fed = new Map<string, Fed>()
  readonly #stopped: PromiseWithResolvers<void> = Promise.withResolvers()
  #isStopped = false
  #isQuiet = false
  #fetch = 0
  #running: Promise<void> = Promise.resolve()

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  start(): void {
    this.#running = this.#run()
  }

  add(task: Schedulable): void {
    const firstFetch = this.#fetch + 1
    for (const queue of task.queues) this.#fed.set(keyOf(queue), { queue, task, firstFetch })
    for (const queue of task.queues) this.#fetchFrom(queue)
    this.#parts.fetcher.wake()
  }

  // Added anew, not sought: an empty partition must answer once more.
  #fetchFrom(queue: PartitionQueue): void {
    const { fetcher } = this.#parts
    const { fetchEpoch: leaderEpoch, fetchPosition: offset, partition, topic } = queue
    fetcher.add([{ topic, partition, offset, leaderEpoch }])
    if (queue.isPaused) fetcher.pause(queue)
  }

  remove(task: Schedulable): void {
    const own = task.queues.filter((queue) => this.#fed.get(keyOf(queue))?.queue === queue)
    for (const queue of own) this.#fed.delete(keyOf(queue))
    if (own.length > 0) this.#parts.fetcher.remove(own)
  }

  /** Resumes partitions whose queues have room again; called as records are finished. */
  relieve(task: Schedulable): void {
    for (const queue of task.queues) {
      if (!queue.isPaused || this.#isFull(queue, resumeShare)) continue
      queue.isPaused = false
      this.#parts.fetcher.resume(queue)
      this.#parts.fetcher.wake()
    }
  }

  /** Asks the log for nothing more; what it was asked for already is not worked on either. */
  quiet(): void {
    this.#isQuiet = true
    this.#parts.fetcher.wake()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopped.resolve()
    this.#parts.fetcher.wake()
    await this.#running
    await this.#parts.fetcher.close()
  }

  async #run(): Promise<void> {
    const { clock, fetcher, fetchBytesMax, onError } = this.#parts
    const limits = { bytesMax: Math.min(fetchBytes, fetchBytesMax), waitMaxMs: fetchWaitMs }
    while (!this.#isStopped) {
      this.#fetch++
      this.#parts.onPoll()
      if (this.#isQuiet) {
        await this.#stopped.promise
        return
      }
      try {
        const chunks = await fetcher.fetch(limits)
        if (chunks.length > 0) failpoint('fetch.received')
        for (const chunk of chunks) this.#take(chunk)
        await clock.turn()
      } catch (error) {
        if (this.#isStopped) return
        onError(error)
        // The answer that was lost may have moved the fetcher: records would be left out.
        for (const { queue } of this.#fed.values()) this.#fetchFrom(queue)
        await pause(clock, errorPauseMs)
      }
    }
  }

  #take(chunk: FetchedChunk): void {
    const fed = this.#fed.get(keyOf(chunk))
    if (fed === undefined) return
    const { firstFetch, queue, task } = fed
    if (this.#fetch < firstFetch) {
      this.#fetchFrom(queue)
      return
    }
    if (chunk.outOfRange !== undefined) {
      if (chunk.outOfRange.position !== queue.fetchPosition) return
      const offset = this.#parts.onOutOfRange(queue, chunk)
      if (offset === undefined) return
      queue.jumpTo(offset)
      this.#parts.fetcher.seek({ topic: queue.topic, partition: queue.partition, offset })
      return
    }
    queue.push(chunk)
    if (!queue.isPaused && this.#isFull(queue, 1)) {
      queue.isPaused = true
      this.#parts.fetcher.pause(queue)
    }
    this.#parts.kick(task)
  }

  #isFull(queue: PartitionQueue, share: number): boolean {
    const { queueBytesMax, queueRecordsMax } = this.#parts
    return queue.bytes > queueBytesMax * share || queue.records > queueRecordsMax * share
  }
}

/** After a failed fetch: long enough not to fill the log, short enough not to be missed. */
const errorPauseMs = 200

function keyOf(partition: TopicPartition): string {
  return `${partition.topic}/${partition.partition}`
}
