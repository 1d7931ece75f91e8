// Data plane. A task in which an agent works on several events at once. Records are opened in
// order, done in any, and accepted in order: what a commit finds is what the records below the
// lowest unfinished one have done, as if they had been worked on one after the other.
import type { Failure } from '../core/decision.ts'
import type { StreamEvent } from '../core/event.ts'
import { aborted } from './aborted.ts'
import { type Awaiting, decodeRecord } from './decode-record.ts'
import { Effects, Holds } from './effects.ts'
import type { Entry } from './entry.ts'
import { Failures } from './failures.ts'
import { Flight } from './flight.ts'
import { type Gate, type GatedInflow, inFlight, type InFlight, type Place } from './gate.ts'
import { laneOf } from './lane.ts'
import { type OpenEvent, toNextRoute } from './open-record.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { QueueChooser } from './queue-choice.ts'
import { stageOf } from './send-failures.ts'
import type { RunningTask, TaskHost, TaskPosition } from './task-host.ts'
import type { TaskTime } from './task-time.ts'

export interface ParallelRunParts {
  readonly id: string
  readonly inflows: readonly GatedInflow[]
  readonly gates: readonly Gate[]
  readonly time: TaskTime
  readonly abort: AbortController
  readonly host: TaskHost
}

/** For each event that may be worked on at once, so many are opened ahead of the lowest of them. */
const aheadPerPlace = 64
const aheadMax = 4_096
/** Outputs and rows of records that are done before an earlier one; beyond it none is opened. */
const heldBytesMax = 4 * 1_048_576

export class ParallelRun implements RunningTask {
  readonly id: string
  readonly queues: readonly PartitionQueue[]
  readonly #parts: ParallelRunParts
  readonly #host: TaskHost
  readonly #chooser: QueueChooser
  readonly #holds = new Holds()
  readonly #aheadMax: number
  readonly #flight = new Flight()
  /** Those that may be able to go on. */
  readonly #ready: InFlight[] = []
  /** Its event comes later: until then its key is not known, and none is opened behind it. */
  #decoding: InFlight | undefined
  #heldBytes = 0
  #isPumping = false
  #isDraining = false
  #isStopped = false
  #isClosed = false
  #whenOver: () => void = () => undefined
  readonly #awaiting: Awaiting<InFlight> = {
    isWanted: (record) => record.end === undefined && !this.#isClosed,
    onSettled: (record) => {
      if (this.#decoding === record) this.#join(record)
      else this.#ready.push(record)
      this.pump()
    }
  }
  carefulUntil: ReadonlyMap<string, number> | undefined
  finishedRecords = 0

  constructor(parts: ParallelRunParts) {
    this.id = parts.id
    this.#parts = parts
    this.#host = parts.host
    this.queues = parts.inflows.map(({ queue }) => queue)
    this.#chooser = new QueueChooser(this.queues, parts.host, () => this.pump())
    const limit = Math.max(...parts.gates.map((gate) => gate.limit))
    this.#aheadMax = Math.min(aheadMax, limit * aheadPerPlace)
    for (const queue of this.queues) {
      queue.onFreed = () => {
        if (queue.isPaused) this.#host.shortened(this)
      }
    }
  }

  get time(): TaskTime {
    return this.#parts.time
  }

  get isOpen(): boolean {
    return this.#flight.size > 0
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  get positions(): readonly TaskPosition[] {
    return this.#flight.positions(this.#parts.inflows)
  }

  get openEvents(): readonly OpenEvent[] {
    return this.#flight.openEvents
  }

  look(passedMs: number): void {
    this.#flight.look(passedMs)
  }

  get isCareful(): boolean {
    return this.positions.some(({ position, topic }) => position < this.#carefulBelow(topic))
  }

  #carefulBelow(topic: string): number {
    return this.carefulUntil?.get(topic) ?? 0
  }

  /** Works as far as it can without waiting. */
  pump(): void {
    if (this.#isPumping || this.#isClosed) return
    this.#isPumping = true
    try {
      while (this.#step());
    } catch (error) {
      this.#host.stopWorker(error)
    } finally {
      this.#isPumping = false
    }
    if (this.#flight.isOver) this.#whenOver()
  }

  #step(): boolean {
    if (this.#isClosed) return false
    const record = this.#ready.shift()
    if (record !== undefined) {
      this.#advance(record)
      return true
    }
    return this.#accept() || this.#openNext()
  }

  // What is done is accepted in order, and counts against the turn: outputs may be many at once.
  #accept(): boolean {
    const { first: record } = this.#flight
    if (record?.end !== 'done') return false
    if (!this.#isDraining && !(this.#host.mayAccept() && this.#host.takeTurn(this))) return false
    this.#flight.shift()
    const { effects, source, streamTime } = record
    const { timestamp } = record.inflow.queue.cursor
    this.#heldBytes -= effects.bytes
    const outputs = effects.accept(timestamp, (entry) => this.#isOpenIn(entry))
    this.time.finished = streamTime
    const { queue } = source
    if (timestamp > queue.streamTime) {
      queue.streamTime = Math.min(timestamp, this.#host.streamTimeMax())
    }
    this.finishedRecords++
    this.#host.finished(this, outputs)
    // It may have waited for that: an agent with `reads` takes nothing but the first.
    const { first } = this.#flight
    if (first !== undefined) this.#ready.push(first)
    return true
  }

  #isOpenIn(entry: Entry): boolean {
    return this.#parts.gates.some((gate) =>
      gate.places.some(({ journal, record }) => record !== undefined && journal.touches(entry))
    )
  }

  #openNext(): boolean {
    const host = this.#host
    if (this.#isDraining || this.#isStopped || !host.mayDispatch() || !this.#hasRoom()) return false
    const sourceIndex = this.#chooser.choose()
    if (sourceIndex < 0 || !host.takeTurn(this)) return false
    const source = this.#parts.inflows[sourceIndex] as GatedInflow
    const held = source.queue.take()
    this.time.open(Math.min(held.cursor.timestamp, host.streamTimeMax()))
    const { current: streamTime } = this.time
    const effects = new Effects(this.#holds)
    const record = inFlight(source, { held, sourceIndex, streamTime, effects })
    this.#flight.add(record)
    if (source.queue.isPaused) host.shortened(this)
    this.#decoding = record
    if (this.#decode(record)) this.#join(record)
    return true
  }

  #hasRoom(): boolean {
    return (
      this.#decoding === undefined &&
      this.#flight.size < this.#aheadMax &&
      this.#heldBytes <= heldBytesMax &&
      this.#parts.gates.some((gate) => gate.limit > 1 && gate.hasRoom)
    )
  }

  // Its key is known, or will never be: it takes its place in the order of each of its agents.
  #join(record: InFlight): void {
    this.#decoding = undefined
    const { event, inflow, source } = record
    if (event !== undefined) record.lane = laneOf(event.key, source.key, inflow.queue)
    for (const gate of source.gates) gate.join(record)
    this.#ready.push(record)
  }

  #decode(record: InFlight): boolean {
    const { decoder, queue } = record.source
    // Only the first time does its queue stand there, and can look ahead.
    const isFirst = this.#decoding === record
    return decodeRecord(record, decoder, isFirst ? queue : record.inflow.queue, this.#awaiting)
  }

  #advance(record: InFlight): void {
    if (record.end !== undefined || record.phase === 'running' || record.phase === 'waiting') return
    while (record.left < record.routeIndex) this.#leave(record)
    const route = record.source.routes[record.routeIndex]
    if (route === undefined) return this.#done(record)
    const { run: gate } = route
    if (!gate.isTurnOf(record)) return
    if (gate.isLastToEnter && this.#flight.first !== record) return
    if (record.phase === 'decode' && !this.#decode(record)) return
    if (record.hasDecodeError) return this.#fail(record, record.decodeError, 'decode')
    const place = gate.enter(record)
    if (place !== undefined) this.#run(record, place)
  }

  #leave(record: InFlight): void {
    const route = record.source.routes[record.left++]
    if (route?.isLast !== true) return
    const next = route.run.leave(record)
    if (next !== undefined) this.#ready.push(next)
  }

  #done(record: InFlight): void {
    record.end = 'done'
    record.event = undefined
    record.inflow.queue.letGo()
  }

  #run(record: InFlight, place: Place): void {
    const { routeIndex, source } = record
    place.time.current = record.streamTime
    place.row.enter(record.sourceIndex, record.inflow.queue.cursor.offset, routeIndex)
    record.phase = 'running'
    record.ageMs = undefined
    try {
      const event = source.routes[routeIndex]?.steps(record.event as StreamEvent)
      if (event === undefined) {
        this.#host.counters.filtered++
        this.#routeDone(place)
        return
      }
      const outcome = place.run.offer(event, record.inflow.queue)
      if (outcome === 'done') this.#routeDone(place)
      else if (outcome === 'stopped') this.#stopHere(record)
    } catch (error) {
      this.#fail(record, error, stageOf(error))
    }
  }

  // A loop ended on purpose: its record and all behind it stay unread for the next start.
  #stopHere(record: InFlight): void {
    const agent = record.place?.gate.name
    this.#isStopped = true
    this.#flight.drop(record, this.#drop)
    this.#host.log.info({ task: this.id, agent }, 'the agent stopped: this task reads no further')
  }

  completed(place: Place): void {
    if (place.record?.phase !== 'running') return
    this.#routeDone(place)
    this.pump()
  }

  failed(place: Place, error: unknown): void {
    const { record } = place
    if (record?.phase !== 'running') return
    this.#fail(record, error, stageOf(error))
    this.pump()
  }

  #routeDone(place: Place): void {
    const record = place.record as InFlight
    const { cursor, topic } = record.inflow.queue
    try {
      if (cursor.offset < this.#carefulBelow(topic)) place.journal.checkWrites()
    } catch (error) {
      this.#fail(record, error, 'send')
      return
    }
    const { effects } = record
    const before = effects.bytes
    place.journal.handOver(effects)
    this.#heldBytes += effects.bytes - before
    // Each event has a call of its own: what its function still writes is refused.
    if (place.gate.limit > 1) place.run.discard()
    this.#free(place)
    toNextRoute(record)
    this.#ready.push(record)
  }

  #free(place: Place): void {
    place.row.leave()
    const next = place.gate.free(place)
    if (next !== undefined) this.#ready.push(next)
  }

  #fail(record: InFlight, error: unknown, stage: Failure['stage']): void {
    this.#undo(record)
    if (this.#isDraining) {
      this.#flight.drop(record, this.#drop)
      return
    }
    record.phase = 'waiting'
    record.failures ??= this.#failuresOf(record)
    record.failures.take(record, error, stage)
    this.#ready.push(record)
  }

  #failuresOf(record: InFlight): Failures {
    const { effects } = record
    return new Failures({
      task: this.id,
      host: this.#host,
      journal: {
        send: (letter) => {
          const before = effects.bytes
          effects.send(letter)
          this.#heldBytes += effects.bytes - before
        }
      },
      isCurrent: () => record.end === undefined && !this.#isClosed,
      resume: () => {
        this.#ready.push(record)
        this.pump()
      }
    })
  }

  #undo({ place }: InFlight): void {
    if (place === undefined) return
    place.run.discard()
    place.journal.drop(this.#holds)
    this.#free(place)
  }

  readonly #drop = (record: InFlight): void => {
    record.failures?.cancel()
    this.#undo(record)
  }

  async drain(deadline: AbortSignal): Promise<void> {
    this.#isDraining = true
    this.#chooser.cancel()
    this.#parts.abort.abort(new Error('the task stops'))
    this.#flight.dropUnneeded(this.#drop)
    this.pump()
    const { promise: over, resolve } = Promise.withResolvers<void>()
    this.#whenOver = resolve
    if (!this.#flight.isOver) await Promise.race([over, aborted(deadline)])
    this.#isClosed = true
    this.#flight.dropAll(this.#drop)
    const runs = this.#parts.gates.flatMap(({ places }) => places.map(({ run }) => run))
    const ended = Promise.all(runs.map((run) => run.end()))
    await Promise.race([ended, aborted(deadline)])
    for (const run of runs) run.discard()
  }

  abandon(): void {
    this.#isClosed = true
    this.#chooser.cancel()
    this.#parts.abort.abort(new Error('the task was taken away'))
    this.#flight.dropAll(this.#drop)
    for (const { places } of this.#parts.gates) for (const { run } of places) run.discard()
  }
}
