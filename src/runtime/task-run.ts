// Data plane. One task: takes records in order, gives each to its processors one after the other,
// and finishes it when all are done with it. One body runs at a time; a body that awaits holds up
// this task and no other.
import type { Failure } from '../core/decision.ts'
import type { StreamEvent } from '../core/event.ts'
import { aborted } from './aborted.ts'
import { type Awaiting, decodeRecord } from './decode-record.ts'
import { Failures } from './failures.ts'
import type { Journal } from './journal.ts'
import {
  type Inflow,
  type OpenEvent,
  openEventOf,
  type OpenRecord,
  openRecord,
  type Route,
  start,
  toNextRoute
} from './open-record.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PulseRow } from './pulse.ts'
import type { StepOwner } from './processor.ts'
import { QueueChooser } from './queue-choice.ts'
import { stageOf } from './send-failures.ts'
import type { RunningTask, TaskHost, TaskPosition } from './task-host.ts'
import type { TaskTime } from './task-time.ts'

export interface TaskRunParts {
  readonly id: string
  readonly inflows: readonly Inflow[]
  readonly journal: Journal
  readonly time: TaskTime
  readonly abort: AbortController
  readonly host: TaskHost
}

export class TaskRun implements RunningTask, StepOwner {
  readonly id: string
  readonly #parts: TaskRunParts
  readonly #host: TaskHost
  readonly #queues: readonly PartitionQueue[]
  readonly #row: PulseRow
  #open: OpenRecord | undefined
  #isPumping = false
  #isDraining = false
  #isStopped = false
  #isClosed = false
  #whenIdle: (() => void) | undefined
  readonly #failures: Failures
  readonly #chooser: QueueChooser
  readonly #awaiting: Awaiting<OpenRecord> = {
    isWanted: (open) => this.#open === open,
    onSettled: () => this.pump()
  }
  /** Offsets below which writes are encoded when they are accepted; set after a failed commit. */
  carefulUntil: ReadonlyMap<string, number> | undefined
  finishedRecords = 0

  constructor(parts: TaskRunParts) {
    this.id = parts.id
    this.#parts = parts
    this.#host = parts.host
    this.#queues = parts.inflows.map((inflow) => inflow.queue)
    this.#chooser = new QueueChooser(this.#queues, parts.host, () => this.pump())
    this.#row = parts.host.rowOf(parts.id)
    this.#failures = new Failures({
      task: parts.id,
      host: parts.host,
      journal: parts.journal,
      isCurrent: (open) => this.#open === open,
      resume: () => this.pump()
    })
  }

  get queues(): readonly PartitionQueue[] {
    return this.#queues
  }

  get positions(): readonly TaskPosition[] {
    return this.#queues
  }

  get time(): TaskTime {
    return this.#parts.time
  }

  get isOpen(): boolean {
    return this.#open !== undefined
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** One at most. */
  get openEvents(): readonly OpenEvent[] {
    return this.#open === undefined ? [] : [openEventOf(this.#open)]
  }

  /** A look at the open event, this long after the one before: its age is what looks have seen. */
  look(passedMs: number): void {
    const open = this.#open
    if (open?.phase !== 'running') return
    open.ageMs = open.ageMs === undefined ? 0 : open.ageMs + passedMs
  }

  /** Works as far as it can without waiting. */
  pump(): void {
    if (this.#isPumping || this.#isClosed || this.#isStopped) return
    this.#isPumping = true
    try {
      while (this.#step());
    } catch (error) {
      this.#host.stopWorker(error)
    } finally {
      this.#isPumping = false
    }
    if (this.#open === undefined) this.#whenIdle?.()
  }

  #step(): boolean {
    if (this.#isClosed || this.#isStopped) return false
    const open = this.#open
    if (open === undefined) return this.#openNext()
    if (open.phase === 'running' || open.phase === 'waiting') return false
    const { queue, routes } = open.inflow
    const route = routes[open.routeIndex]
    if (route === undefined) {
      this.#finish(open)
      return true
    }
    this.#row.enter(open.source, queue.cursor.offset, open.routeIndex)
    if (open.phase === 'decode') {
      const { decoder } = open.inflow
      if (!decodeRecord(open, decoder, queue, this.#awaiting)) return false
    }
    this.#runRoute(open, route)
    return true
  }

  #openNext(): boolean {
    const host = this.#host
    if (this.#isDraining || !host.mayDispatch()) return false
    const index = this.#chooser.choose()
    if (index < 0) return false
    if (!host.takeTurn(this)) return false
    const inflow = this.#parts.inflows[index] as Inflow
    this.#parts.time.open(Math.min(inflow.queue.cursor.timestamp, host.streamTimeMax()))
    this.#open = openRecord(inflow, index)
    return true
  }

  #runRoute(open: OpenRecord, route: Route): void {
    // Also before a decode error: what an earlier route left (its dead letter) must stay.
    open.savepoint = this.#parts.journal.mark()
    if (open.hasDecodeError) {
      this.#fail(open, open.decodeError, 'decode')
      return
    }
    open.phase = 'running'
    open.ageMs = undefined
    try {
      const event = route.steps(open.event as StreamEvent)
      if (event === undefined) {
        this.#host.counters.filtered++
        this.#routeDone(open)
        return
      }
      const outcome = route.run.offer(event, open.inflow.queue)
      if (outcome === 'done') this.#routeDone(open)
      else if (outcome === 'stopped') this.#stopHere(route.run.name)
    } catch (error) {
      this.#fail(open, error, stageOf(error))
    }
  }

  // A loop ended on purpose: the record stays unread for the next start.
  #stopHere(agent: string): void {
    this.#isStopped = true
    this.#dropOpen()
    this.#host.log.info({ task: this.id, agent }, 'the agent stopped: this task reads no further')
  }

  completed(): void {
    const open = this.#open
    if (open === undefined || open.phase !== 'running') return
    this.#routeDone(open)
    this.pump()
  }

  failed(error: unknown): void {
    const open = this.#open
    if (open === undefined || open.phase !== 'running') return
    this.#fail(open, error, stageOf(error))
    this.pump()
  }

  #routeDone(open: OpenRecord): void {
    if (this.#isChecked(open)) {
      try {
        this.#parts.journal.checkWrites()
      } catch (error) {
        this.#fail(open, error, 'send')
        return
      }
    }
    toNextRoute(open)
  }

  #isChecked(open: OpenRecord): boolean {
    if (this.carefulUntil === undefined) return false
    const { cursor, topic } = open.inflow.queue
    return cursor.offset < (this.carefulUntil.get(topic) ?? 0)
  }

  /** True while records are replayed among which is one that failed a commit. */
  get isCareful(): boolean {
    const until = this.carefulUntil
    if (until === undefined) return false
    return this.#queues.some((queue) => queue.position < (until.get(queue.topic) ?? 0))
  }

  #finish(open: OpenRecord): void {
    const { queue } = open.inflow
    const { journal, time } = this.#parts
    const { timestamp } = queue.cursor
    this.#open = undefined
    this.#row.leave()
    queue.advance()
    if (queue.isPaused) this.#host.shortened(this)
    time.finish()
    if (timestamp > queue.streamTime) {
      queue.streamTime = Math.min(timestamp, this.#host.streamTimeMax())
    }
    this.finishedRecords++
    this.#host.finished(this, journal.isEmpty ? noOutputs : journal.accept(timestamp))
  }

  #fail(open: OpenRecord, error: unknown, stage: Failure['stage']): void {
    open.inflow.routes[open.routeIndex]?.run.discard()
    this.#parts.journal.undo(open.savepoint)
    if (this.#isDraining) {
      this.#dropOpen()
      return
    }
    open.phase = 'waiting'
    this.#row.leave()
    this.#failures.take(open, error, stage)
  }

  /**
   * Stops between records: an open event may finish until the signal aborts, then it is undone.
   * Afterwards the loops have ended and the offsets of the queues are the task's last cut.
   */
  async drain(deadline: AbortSignal): Promise<void> {
    this.#isDraining = true
    this.#chooser.cancel()
    this.#failures.cancel()
    this.#parts.abort.abort(new Error('the task stops'))
    const open = this.#open
    if (open !== undefined && open.phase !== 'running') this.#dropOpen()
    if (this.#open !== undefined) await this.#idle(deadline)
    this.#isClosed = true
    this.#dropOpen()
    const runs = new Set(this.#parts.inflows.flatMap(({ routes }) => routes.map(({ run }) => run)))
    const ended = Promise.all([...runs].map((run) => run.end()))
    await Promise.race([ended, aborted(deadline)])
    for (const run of runs) run.discard()
  }

  #idle(deadline: AbortSignal): Promise<void> {
    return Promise.race([
      new Promise<void>((resolve) => {
        this.#whenIdle = resolve
      }),
      aborted(deadline)
    ])
  }

  /** Breaks off at once: nothing of the open record remains. */
  abandon(): void {
    this.#isClosed = true
    this.#chooser.cancel()
    this.#failures.cancel()
    this.#parts.abort.abort(new Error('the task was taken away'))
    this.#dropOpen()
    for (const { routes } of this.#parts.inflows) for (const { run } of routes) run.discard()
  }

  #dropOpen(): void {
    const open = this.#open
    if (open === undefined) return
    open.inflow.routes[open.routeIndex]?.run.discard()
    this.#parts.journal.undo(start)
    this.#open = undefined
    this.#row.leave()
  }
}

const noOutputs: readonly never[] = []
