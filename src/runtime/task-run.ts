// Data plane. One task: takes records in order, gives each to its processors one after the other,
// and finishes it when all are done with it. One body runs at a time; a body that awaits holds up
// this task and no other.
import { backoffMs, type Decision, type Failure } from '../core/decision.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { StreamEvent } from '../core/event.ts'
import type { Fused } from '../core/pipeline.ts'
import { failpoint } from '../port/failpoint.ts'
import type { Cancel } from '../port/clock.ts'
import type { Decoder } from './decoder.ts'
import type { Journal, Savepoint } from './journal.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { deadLetterOf, decide, failureOf, settle } from './policy.ts'
import type { ProcessorRun, StepOwner } from './processor.ts'
import { chooseQueue } from './queue-choice.ts'
import type { TaskHost } from './task-host.ts'
import type { TaskTime } from './task-time.ts'

/** One processor's way in from one source topic. */
export interface Route {
  readonly run: ProcessorRun
  readonly steps: Fused
}

export interface Inflow {
  readonly queue: PartitionQueue
  readonly decoder: Decoder
  readonly routes: readonly Route[]
}

export interface TaskRunParts {
  readonly id: string
  readonly inflows: readonly Inflow[]
  readonly journal: Journal
  readonly time: TaskTime
  readonly abort: AbortController
  readonly host: TaskHost
}

/** The record being worked on, and how far. */
interface OpenRecord {
  readonly inflow: Inflow
  /** `decode`: needs its event. `ready`: the next route may begin. Else something is awaited. */
  phase: 'decode' | 'ready' | 'running' | 'waiting'
  event: StreamEvent | undefined
  decodeError: unknown
  hasDecodeError: boolean
  routeIndex: number
  attempts: number
  savepoint: Savepoint
  readonly openedAtMs: number
  /** Dead letter topics that have this record already. */
  deadLettered: Set<string> | undefined
}

const start: Savepoint = { writes: 0, outputs: 0 }

export class TaskRun implements StepOwner {
  readonly id: string
  readonly #parts: TaskRunParts
  readonly #host: TaskHost
  readonly #queues: readonly PartitionQueue[]
  #open: OpenRecord | undefined
  #isPumping = false
  #isDraining = false
  #isStopped = false
  #isClosed = false
  #whenIdle: (() => void) | undefined
  #cancelWait: Cancel = () => undefined
  #idleSinceMs: number | undefined
  /** Offsets below which writes are encoded when they are accepted; set after a failed commit. */
  carefulUntil: ReadonlyMap<string, number> | undefined
  finishedRecords = 0

  constructor(parts: TaskRunParts) {
    this.id = parts.id
    this.#parts = parts
    this.#host = parts.host
    this.#queues = parts.inflows.map((inflow) => inflow.queue)
  }

  get queues(): readonly PartitionQueue[] {
    return this.#queues
  }

  get time(): TaskTime {
    return this.#parts.time
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** The event being worked on by a body, for the stall watch and for dumps. */
  get openEvent(): OpenEvent | undefined {
    const open = this.#open
    if (open === undefined) return undefined
    const { queue, routes } = open.inflow
    return {
      topic: queue.topic,
      partition: queue.partition,
      offset: queue.cursor.offset,
      agent: routes[open.routeIndex]?.run.name ?? '',
      openedAtMs: open.openedAtMs,
      isWaiting: open.phase === 'waiting'
    }
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
    if (open.phase === 'decode') return this.#decode(open)
    if (open.phase === 'ready') return this.#runRoute(open)
    return false
  }

  #openNext(): boolean {
    const host = this.#host
    if (this.#isDraining || !host.mayDispatch()) return false
    const index = this.#choose()
    if (index < 0) return false
    if (!host.takeTurn(this)) return false
    const inflow = this.#parts.inflows[index] as Inflow
    this.#parts.time.open(Math.min(inflow.queue.cursor.timestamp, host.streamTimeMax()))
    this.#open = {
      inflow,
      phase: 'decode',
      event: undefined,
      decodeError: undefined,
      hasDecodeError: false,
      routeIndex: 0,
      attempts: 0,
      savepoint: start,
      openedAtMs: host.coarseNowMs(),
      deadLettered: undefined
    }
    host.opened(inflow.queue)
    return true
  }

  #choose(): number {
    const choice = chooseQueue(this.#queues)
    if (choice.index < 0 || !choice.hasIdle) {
      this.#idleSinceMs = undefined
      return choice.index
    }
    const { clock, taskIdleMs } = this.#host
    if (taskIdleMs === 0) return choice.index
    const now = clock.monotonic()
    this.#idleSinceMs ??= now
    const left = this.#idleSinceMs + taskIdleMs - now
    if (left <= 0) return choice.index
    this.#cancelWait()
    this.#cancelWait = clock.schedule(left, () => this.pump())
    return -1
  }

  #decode(open: OpenRecord): boolean {
    const { decoder, queue } = open.inflow
    try {
      const event = decoder.decode(queue)
      if (!(event instanceof Promise)) {
        open.event = event
        open.phase = 'ready'
        failpoint('event.open')
        return true
      }
      open.phase = 'waiting'
      event.then(
        (settled) => this.#decoded(open, settled, undefined),
        (error: unknown) => this.#decoded(open, undefined, { error })
      )
      return false
    } catch (error) {
      open.hasDecodeError = true
      open.decodeError = error
      open.phase = 'ready'
      return true
    }
  }

  #decoded(
    open: OpenRecord,
    event: StreamEvent | undefined,
    failed: { readonly error: unknown } | undefined
  ): void {
    if (this.#open !== open) return
    open.event = event
    open.hasDecodeError = failed !== undefined
    open.decodeError = failed?.error
    open.phase = 'ready'
    this.pump()
  }

  #runRoute(open: OpenRecord): boolean {
    const route = open.inflow.routes[open.routeIndex]
    if (route === undefined) {
      this.#finish(open)
      return true
    }
    if (open.hasDecodeError) {
      this.#fail(open, open.decodeError, 'decode')
      return true
    }
    open.savepoint = this.#parts.journal.mark()
    open.phase = 'running'
    try {
      const event = route.steps(open.event as StreamEvent)
      if (event === undefined) {
        this.#host.counters.filtered++
        this.#routeDone(open)
        return true
      }
      const outcome = route.run.offer(event, open.inflow.queue)
      if (outcome === 'done') this.#routeDone(open)
      else if (outcome === 'stopped') this.#stopHere(route.run.name)
    } catch (error) {
      this.#fail(open, error, 'handle')
    }
    return true
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
    this.#fail(open, error, 'handle')
    this.pump()
  }

  #routeDone(open: OpenRecord): void {
    if (this.#isCareful(open)) {
      try {
        this.#parts.journal.checkWrites()
      } catch (error) {
        this.#fail(open, error, 'send')
        return
      }
    }
    this.#nextRoute(open)
  }

  #nextRoute(open: OpenRecord): void {
    open.routeIndex++
    open.attempts = 0
    // What cannot be frozen is decoded anew, so that no agent sees another's changes.
    open.phase = open.event?.isPlain === false ? 'decode' : 'ready'
  }

  #isCareful(open: OpenRecord): boolean {
    if (this.carefulUntil === undefined) return false
    const { cursor, topic } = open.inflow.queue
    return cursor.offset < (this.carefulUntil.get(topic) ?? 0)
  }

  #finish(open: OpenRecord): void {
    const { queue } = open.inflow
    const { journal, time } = this.#parts
    const { timestamp } = queue.cursor
    this.#open = undefined
    queue.finish()
    if (queue.isPaused) this.#host.shortened(this)
    time.finish()
    if (timestamp > queue.streamTime) {
      queue.streamTime = Math.min(timestamp, this.#host.streamTimeMax())
    }
    this.finishedRecords++
    this.#host.finished(this, journal.isEmpty ? noOutputs : journal.accept(timestamp))
  }

  #fail(open: OpenRecord, error: unknown, stage: Failure['stage']): void {
    const { inflow } = open
    const route = inflow.routes[open.routeIndex] as Route
    route.run.discard()
    this.#parts.journal.undo(open.savepoint)
    if (this.#isDraining) {
      this.#dropOpen()
      return
    }
    open.attempts++
    open.phase = 'waiting'
    const failure = failureOf(inflow.queue, {
      error,
      stage,
      attempts: open.attempts,
      event: open.event
    })
    this.#host.counters.failures++
    const onError = route.run.onError ?? this.#host.onError
    try {
      const decision = decide(onError, failure)
      if (!(decision instanceof Promise)) return this.#apply(open, failure, decision)
      decision.then(
        (settled) => this.#applyLater(open, failure, settled),
        (thrown: unknown) => this.#host.stopWorker(thrown)
      )
    } catch (thrown) {
      this.#host.stopWorker(thrown)
    }
  }

  #applyLater(open: OpenRecord, failure: Failure, decision: Decision): void {
    if (this.#open !== open) return
    this.#apply(open, failure, decision)
    this.pump()
  }

  #apply(open: OpenRecord, failure: Failure, asked: Decision): void {
    const decision = settle(asked, failure, this.#host.deadLetter !== undefined)
    this.#host.reportFailure(this.id, failure, decision, this.#agentOf(open))
    switch (decision.kind) {
      case 'retry':
        this.#cancelWait = this.#host.clock.schedule(
          backoffMs(decision, failure.attempts, this.#host.random()),
          () => this.#retry(open)
        )
        return
      case 'dead-letter':
        this.#sendDeadLetter(open, failure, decision.topic)
        return
      case 'skip':
        this.#host.counters.skipped++
        this.#nextRoute(open)
        return
      case 'stop':
        this.#host.stopWorker(failure.error)
    }
  }

  #agentOf(open: OpenRecord): string {
    return open.inflow.routes[open.routeIndex]?.run.name ?? ''
  }

  #retry(open: OpenRecord): void {
    if (this.#open !== open) return
    open.phase = open.event?.isPlain === true ? 'ready' : 'decode'
    this.pump()
  }

  #sendDeadLetter(open: OpenRecord, failure: Failure, named: string | undefined): void {
    const host = this.#host
    const topic = named ?? host.deadLetter
    if (topic === undefined) {
      host.stopWorker(
        new TailraceError(
          'TAILRACE_CONFIG_INVALID',
          `agent "${this.#agentOf(open)}" dead-letters a record, and the app has no dead letter ` +
            `topic: ${messageOf(failure.error)}`,
          { hint: 'Set `deadLetter` in createApp, or name a topic: deadLetter(topic).' }
        )
      )
      return
    }
    // A record that nobody can read is one dead letter, however many agents wanted it.
    if (open.deadLettered?.has(topic) !== true) {
      if (failure.stage === 'decode') open.deadLettered = new Set(open.deadLettered).add(topic)
      const to = { topic, partitions: host.partitionsOf(topic), agent: this.#agentOf(open) }
      this.#parts.journal.send(deadLetterOf(open.inflow.queue, failure, to))
      host.counters.deadLettered++
    }
    this.#nextRoute(open)
  }

  /**
   * Stops between records: an open event may finish until the signal aborts, then it is undone.
   * Afterwards the loops have ended and the offsets of the queues are the task's last cut.
   */
  async drain(deadline: AbortSignal): Promise<void> {
    this.#isDraining = true
    this.#cancelWait()
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
    this.#cancelWait()
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
  }
}

export interface OpenEvent {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly agent: string
  readonly openedAtMs: number
  /** Between two tries, or while its bytes are validated: no body runs. */
  readonly isWaiting: boolean
}

const noOutputs: readonly never[] = []

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
