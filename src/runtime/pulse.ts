// Memory that the worker's loop writes and its keeper thread reads, even while the loop is blocked.
import { brokenInvariant } from '../core/errors.ts'

/** One task as the keeper knows it: what its cells mean. */
export interface WatchedTask {
  readonly id: string
  readonly partition: number
  readonly sources: readonly WatchedSource[]
  /** Events that it can have open at once. @default 1 */
  readonly places?: number
}

export interface WatchedSource {
  readonly topic: string
  /** Agents and groups, in the order in which they get an event. */
  readonly readers: readonly string[]
}

/** An event that a task had open when the loop was last seen. */
export interface WatchedEvent {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly agent: string
}

/** What the keeper can see of a loop that no longer answers. */
export interface PulseReading {
  /** Monotonic time of the last turn of the loop, in ms. */
  readonly tickMs: number
  /** How long the loop may be silent; 0 while nobody watches. */
  readonly limitMs: number
}

/** What a supervisor of nodes judges by, as the loop last told. */
export interface NodePulse {
  /** Grows each time that the log was asked. */
  readonly polls: number
  /** False where nothing is to be asked: while it starts, is quiet, or stops. */
  readonly isPolling: boolean
  /** Tasks that are being restored. */
  readonly restoring: number
  /** Grows as they come further. */
  readonly restored: number
  readonly heapPercent: number
}

const head = {
  tick: 0,
  limit: 1,
  polls: 2,
  polling: 3,
  restoring: 4,
  restored: 5,
  heap: 6,
  cells: 7
}
// `source` is one more than its place: 0 says that nothing is open.
const row = { source: 0, offset: 1, reader: 2, cells: 3 }

export class Pulse {
  readonly shared: SharedArrayBuffer
  readonly tasks: readonly WatchedTask[]
  readonly #cells: Float64Array
  /** First row of each task. */
  readonly #firsts: readonly number[]

  constructor(tasks: readonly WatchedTask[], shared?: SharedArrayBuffer) {
    this.tasks = tasks
    let rows = 0
    this.#firsts = tasks.map(({ places = 1 }) => {
      rows += places
      return rows - places
    })
    this.shared = shared ?? new SharedArrayBuffer(8 * (head.cells + row.cells * rows))
    this.#cells = new Float64Array(this.shared)
  }

  tick(nowMs: number): void {
    this.#cells[head.tick] = nowMs
  }

  /** The log was asked. */
  polled(): void {
    this.#cells[head.polls] = this.#at(head.polls) + 1
  }

  tell(told: Omit<NodePulse, 'polls'>): void {
    this.#cells[head.polling] = told.isPolling ? 1 : 0
    this.#cells[head.restoring] = told.restoring
    this.#cells[head.restored] = told.restored
    this.#cells[head.heap] = told.heapPercent
  }

  node(): NodePulse {
    return {
      polls: this.#at(head.polls),
      isPolling: this.#at(head.polling) === 1,
      restoring: this.#at(head.restoring),
      restored: this.#at(head.restored),
      heapPercent: this.#at(head.heap)
    }
  }

  #at(cell: number): number {
    return this.#cells[cell] ?? 0
  }

  /** From now on a silence of this long ends the process; 0 ends the watch. */
  watch(limitMs: number): void {
    this.#cells[head.limit] = limitMs
  }

  rowOf(task: string, place = 0): PulseRow {
    const index = this.tasks.findIndex((one) => one.id === task)
    const places = index < 0 ? 0 : (this.tasks[index]?.places ?? 1)
    if (place >= places) throw brokenInvariant(`task "${task}" has no place in the pulse`)
    return new PulseRow(this.#cells, this.#cellOf(index, place))
  }

  #cellOf(task: number, place: number): number {
    return head.cells + row.cells * ((this.#firsts[task] ?? 0) + place)
  }

  read(): PulseReading {
    return { tickMs: this.#cells[head.tick] ?? 0, limitMs: this.#cells[head.limit] ?? 0 }
  }

  /** Events that are open; the loop is inside one of them, or in something of the program's own. */
  openEvents(): readonly WatchedEvent[] {
    return this.tasks.flatMap((task, index) =>
      Array.from({ length: task.places ?? 1 }, (_, place) => this.#eventAt(index, place)).flatMap(
        (event) => event ?? []
      )
    )
  }

  #eventAt(index: number, place: number): WatchedEvent | undefined {
    const at = (cell: number): number => this.#cells[this.#cellOf(index, place) + cell] ?? 0
    const { partition = 0, sources = [] } = this.tasks[index] ?? {}
    const source = sources[at(row.source) - 1]
    if (source === undefined) return undefined
    const agent = source.readers[at(row.reader)] ?? ''
    return { topic: source.topic, partition, offset: at(row.offset), agent }
  }
}

/** Where a task says what it has open: one event. */
export class PulseRow {
  readonly #cells: Float64Array
  readonly #at: number

  constructor(cells: Float64Array, at: number) {
    this.#cells = cells
    this.#at = at
  }

  enter(source: number, offset: number, reader: number): void {
    this.#cells[this.#at + row.source] = source + 1
    this.#cells[this.#at + row.offset] = offset
    this.#cells[this.#at + row.reader] = reader
  }

  leave(): void {
    this.#cells[this.#at + row.source] = 0
  }
}
