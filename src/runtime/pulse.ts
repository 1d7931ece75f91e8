// Memory that the worker's loop writes and its keeper thread reads, even while the loop is blocked.

const slots = { tick: 0, finished: 1, topic: 2, partition: 3, offset: 4, isOpen: 5, isCounting: 6 }

/** What the keeper can see of a loop that no longer answers. */
export interface PulseReading {
  /** Monotonic time of the last turn of the loop, in ms. */
  readonly tickMs: number
  /** Records finished so far. */
  readonly finished: number
  /** The event that was opened last, if it is still open. */
  readonly event:
    | { readonly topic: string; readonly partition: number; readonly offset: number }
    | undefined
  /** False while a stop is under way: then silence means something else. */
  readonly isCounting: boolean
}

export class Pulse {
  readonly shared: SharedArrayBuffer
  readonly topics: readonly string[]
  readonly #cells: Float64Array

  constructor(topics: readonly string[], shared?: SharedArrayBuffer) {
    this.topics = topics
    this.shared = shared ?? new SharedArrayBuffer(8 * Object.keys(slots).length)
    this.#cells = new Float64Array(this.shared)
  }

  tick(nowMs: number): void {
    this.#cells[slots.tick] = nowMs
  }

  count(isCounting: boolean): void {
    this.#cells[slots.isCounting] = isCounting ? 1 : 0
  }

  opened(topic: number, partition: number, offset: number): void {
    const cells = this.#cells
    cells[slots.topic] = topic
    cells[slots.partition] = partition
    cells[slots.offset] = offset
    cells[slots.isOpen] = 1
  }

  finished(): void {
    const cells = this.#cells
    cells[slots.finished] = (cells[slots.finished] ?? 0) + 1
    cells[slots.isOpen] = 0
  }

  read(): PulseReading {
    const at = (slot: number): number => this.#cells[slot] ?? 0
    const topic = this.topics[at(slots.topic)] ?? ''
    const event = { topic, partition: at(slots.partition), offset: at(slots.offset) }
    return {
      tickMs: at(slots.tick),
      finished: at(slots.finished),
      event: at(slots.isOpen) === 1 ? event : undefined,
      isCounting: at(slots.isCounting) === 1
    }
  }
}
