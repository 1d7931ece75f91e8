// Data plane. Shares the loop among tasks: a bounded number of records a turn, then input and
// output have theirs. Holds everything back while a commit must come first.
import type { Decision, Failure, OnError } from '../core/decision.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'
import { failpoint } from '../port/failpoint.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import type { Log } from './log.ts'
import type { Counters } from './monitor.ts'
import type { Pulse, PulseRow } from './pulse.ts'
import type { RecordLimits } from './record-limits.ts'
import type { Sender } from './sender.ts'
import type { Schedulable, TaskHost } from './task-host.ts'

export interface DispatcherParts {
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly counters: Counters
  readonly pulse: Pulse
  readonly taskIdleMs: number
  readonly futureLimitMs: number
  readonly onError: OnError | undefined
  readonly deadLetter: string | undefined
  readonly limits: RecordLimits
  readonly partitionsOf: (topic: string) => number
  readonly onFatal: (error: unknown) => void
  /** Looks at what waits for a commit; true asks for one now. */
  readonly isPressed: () => boolean
  readonly onPressure: () => void
  readonly onShortened: (task: Schedulable) => void
}

const recordsPerTurn = 2_048
const recordsPerLook = 64
const turnMsMax = 8
/** So many of them, before the next look, would be far beyond what a transaction should hold. */
const largeOutputBytes = 16_384

export class Dispatcher implements TaskHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly counters: Counters
  readonly taskIdleMs: number
  readonly onError: OnError | undefined
  readonly deadLetter: string | undefined
  readonly limits: RecordLimits
  readonly #parts: DispatcherParts
  readonly #ready = new Set<Schedulable>()
  #sender: Sender | undefined
  #isScheduled = false
  #isHeld = false
  #isQuiet = false
  #left = recordsPerTurn
  #untilLook = recordsPerLook
  #turnStartMs = 0
  #streamTimeMax = 0

  constructor(parts: DispatcherParts) {
    this.#parts = parts
    this.clock = parts.clock
    this.log = parts.log
    this.random = parts.random
    this.counters = parts.counters
    this.taskIdleMs = parts.taskIdleMs
    this.onError = parts.onError
    this.deadLetter = parts.deadLetter
    this.limits = parts.limits
    this.#startTurn()
  }

  /** The transaction that outputs go into. */
  use(sender: Sender): void {
    this.#sender = sender
  }

  /** What the task sent and did not commit never happened. */
  forget(task: string): void {
    this.#sender?.forget(task)
  }

  partitionsOf(topic: string): number {
    return this.#parts.partitionsOf(topic)
  }

  mayDispatch(): boolean {
    return !this.#isHeld && !this.#isQuiet
  }

  mayAccept(): boolean {
    return !this.#isHeld
  }

  /** A commit has taken what was waiting: tasks may go on. */
  relieve(): void {
    this.#isHeld = false
  }

  /** Opens no further records; for a stop. */
  quiet(): void {
    this.#isQuiet = true
  }

  /** Lets a task work, in a turn that comes soon. */
  kick(task: Schedulable): void {
    this.#ready.add(task)
    this.#schedule()
  }

  takeTurn(task: Schedulable): boolean {
    if (this.#left > 0) {
      this.#left--
      if (--this.#untilLook > 0 || this.#look()) return true
    }
    this.#ready.add(task)
    this.#schedule()
    return false
  }

  /** Much was written: the limits are looked at before the next record. */
  lookSoon(): void {
    this.#untilLook = 1
  }

  // False when this turn has lasted long enough, or a commit must come first.
  #look(): boolean {
    this.#untilLook = recordsPerLook
    this.checkPressure()
    if (this.#isHeld) return false
    if (this.clock.monotonic() - this.#turnStartMs < turnMsMax) return true
    this.#left = 0
    return false
  }

  /** Holds tasks back when too much waits for a commit. */
  checkPressure(): void {
    if (this.#isHeld || !this.#parts.isPressed()) return
    this.#isHeld = true
    this.#parts.onPressure()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.clock.turn().then(() => this.#turn(), this.#parts.onFatal)
  }

  #turn(): void {
    this.#isScheduled = false
    this.#startTurn()
    for (const task of this.#ready) {
      this.#ready.delete(task)
      task.pump()
      // Its loop may go on by itself until the turn is used up. Loops that took one event each in
      // turn would drive each other's rows out of the processor's caches: twice the time an event.
      if (this.#left <= 0 || task.isOpen) break
    }
    if (this.#ready.size > 0) this.#schedule()
  }

  /** Also called now and then: a turn of a quiet worker may have begun long ago. */
  refresh(): void {
    this.#streamTimeMax = this.clock.now() + this.#parts.futureLimitMs
  }

  #startTurn(): void {
    this.#left = recordsPerTurn
    this.#untilLook = recordsPerLook
    this.#turnStartMs = this.clock.monotonic()
    this.refresh()
  }

  streamTimeMax(): number {
    return this.#streamTimeMax
  }

  rowOf(task: string, place?: number): PulseRow {
    return this.#parts.pulse.rowOf(task, place)
  }

  shortened(task: Schedulable): void {
    this.#parts.onShortened(task)
  }

  finished(task: Schedulable, outputs: readonly OutgoingRecord[]): void {
    this.counters.finished++
    const sender = this.#sender
    if (sender === undefined) return
    if (sender.isEnding) failpoint('event.finished-in-commit')
    if (outputs.length === 0) return
    this.counters.outputs += outputs.length
    const before = sender.pendingBytes
    sender.accept(task.id, outputs)
    if (sender.pendingBytes - before > largeOutputBytes) this.lookSoon()
  }

  reportFailure(task: string, failure: Failure, decision: Decision, agent: string): void {
    if (decision.kind === 'retry') this.counters.retries++
    const { record } = failure
    const code = failure.error instanceof TailraceError ? failure.error.code : undefined
    const fields = {
      task,
      agent,
      topic: record.topic,
      partition: record.partition,
      offset: Number(record.offset),
      stage: failure.stage,
      attempts: failure.attempts,
      decision: decision.kind,
      ...(code !== undefined && { code }),
      err: failure.error
    }
    this.log.warn(fields, `an event failed: ${messageOf(failure.error)}`)
  }

  stopWorker(error: unknown): void {
    this.#parts.onFatal(error)
  }
}
