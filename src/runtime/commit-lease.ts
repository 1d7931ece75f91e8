// Which of the two may go on: the keeper that joins the group's next generation, or a commit of the
// one before; and how long what is owned is safe. In shared memory: it holds while the loop is
// blocked.
import { type Clock, pause } from '../port/clock.ts'

/** Of `joining`: commits wait only until the group was asked, and for what it came to. */
const join = { none: 0, begins: 1, waits: 2 }
const cell = { joining: 0, committing: 1, membership: 2, losses: 3, cells: 4 }

/**
 * Both sides say what they want before they look what the other wants, so never do both go on. A
 * commit gives way to a join; a join waits for the commit that had begun. Every wait has a limit:
 * the log itself refuses a commit of an old generation, and this only keeps such commits rare.
 */
export class CommitLease {
  readonly shared: SharedArrayBuffer
  readonly #cells: Int32Array
  readonly #clock: Clock
  /** When the group last answered, on the clock that all threads share; 0 before. */
  readonly #heard: Float64Array
  /** Number of the membership that the worker was told last. */
  #told = 0
  #lossesTold = 0
  #wake: () => void = () => undefined

  constructor(clock: Clock, shared?: SharedArrayBuffer) {
    this.#clock = clock
    this.shared = shared ?? new SharedArrayBuffer(4 * cell.cells + 8)
    this.#cells = new Int32Array(this.shared, 0, cell.cells)
    this.#heard = new Float64Array(this.shared, 4 * cell.cells)
  }

  /** The worker's side: true when a commit may begin now; it then ends with `release`. */
  tryTake(): boolean {
    Atomics.store(this.#cells, cell.committing, 1)
    if (this.#isFree()) return true
    this.release()
    return false
  }

  /** As `tryTake`; waits while a join is under way, or its outcome on its way to the worker. */
  async take(waitMaxMs: number): Promise<void> {
    const until = this.#clock.monotonic() + waitMaxMs
    while (!this.tryTake()) {
      const leftMs = until - this.#clock.monotonic()
      if (leftMs <= 0) {
        // What a blocked loop has not been told yet is read in this turn.
        await this.#clock.turn()
        if (!this.tryTake()) Atomics.store(this.#cells, cell.committing, 1)
        return
      }
      await this.#untilChanged(leftMs)
    }
  }

  /** The commit has ended, one way or the other. */
  release(): void {
    Atomics.store(this.#cells, cell.committing, 0)
    Atomics.notify(this.#cells, cell.committing)
  }

  /** The worker goes by this membership from now on. */
  told(membership: number, isLoss: boolean = false): void {
    this.#told = membership
    if (isLoss) this.#lossesTold++
    this.#wake()
  }

  /** The keeper's side: no commit begins from here on, and none is under way when it resolves. */
  async beginJoin(waitMaxMs: number): Promise<void> {
    Atomics.store(this.#cells, cell.joining, join.begins)
    const until = this.#clock.monotonic() + waitMaxMs
    while (Atomics.load(this.#cells, cell.committing) === 1) {
      const leftMs = until - this.#clock.monotonic()
      if (leftMs <= 0) return
      const changed = this.#changeOf(cell.committing)
      if (Atomics.load(this.#cells, cell.committing) === 1) await this.#within(leftMs, [changed])
    }
  }

  /** The group waits for its other members: until they came, the old generation holds. */
  waitForOthers(): void {
    Atomics.store(this.#cells, cell.joining, join.waits)
    Atomics.notify(this.#cells, cell.joining)
  }

  endJoin(): void {
    Atomics.store(this.#cells, cell.joining, join.none)
    Atomics.notify(this.#cells, cell.joining)
  }

  /** Numbers a membership that the worker is about to be told. */
  renew(): number {
    return Atomics.add(this.#cells, cell.membership, 1) + 1
  }

  /** Of a loss that the worker is about to be told: it may send nothing before it knows. */
  lose(): void {
    Atomics.add(this.#cells, cell.losses, 1)
  }

  /** The group has answered what it was asked at this time. */
  heard(atMs: number): void {
    this.#heard[0] = atMs
  }

  /** The worker's side: until when nobody else can have been given what is its own. */
  safeUntilMs(sessionTimeoutMs: number): number {
    const heardMs = this.#heard[0] ?? 0
    if (Atomics.load(this.#cells, cell.losses) !== this.#lossesTold) return 0
    return heardMs === 0 ? Number.POSITIVE_INFINITY : heardMs + sessionTimeoutMs
  }

  #isFree(): boolean {
    if (Atomics.load(this.#cells, cell.joining) === join.begins) return false
    return Atomics.load(this.#cells, cell.membership) === this.#told
  }

  // The join ends, or its outcome is told; where no join is under way only the latter is awaited.
  async #untilChanged(waitMs: number): Promise<void> {
    const told = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await this.#within(waitMs, [told, this.#changeOf(cell.joining)])
  }

  /** Resolves when the cell is no longer 1; never where it is not. */
  #changeOf(index: number): Promise<unknown> {
    const wait = Atomics.waitAsync(this.#cells, index, 1)
    return wait.async ? wait.value : new Promise(() => undefined)
  }

  async #within(waitMs: number, events: readonly Promise<unknown>[]): Promise<void> {
    const ended = new AbortController()
    await Promise.race([...events, pause(this.#clock, waitMs, ended.signal)])
    ended.abort()
  }
}
