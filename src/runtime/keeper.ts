// The worker's side of its keeper: the same four verbs, whether it is a thread or this loop.
import { Worker as Thread } from 'node:worker_threads'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'
import type { BeatAnswer, JoinRequest } from '../port/coordinator.ts'
import type { ThreadDoor, Transport } from '../port/transport.ts'
import type { CommitLease } from './commit-lease.ts'
import { HealthReports } from './health-reports.ts'
import { KeeperLoop } from './keeper-loop.ts'
import type { FromKeeper, KeeperStart, ToKeeper, ToldError } from './keeper-messages.ts'
import type { HealthReporting } from './node-place.ts'
import type { Pulse } from './pulse.ts'

export interface Keeper {
  /** Resolves when the member has joined. */
  start(): Promise<void>
  release(tasks: readonly string[]): Promise<void>
  leave(): Promise<void>
}

export interface KeeperParts {
  readonly request: JoinRequest
  readonly lease: CommitLease
  /** How long a commit may hold up a join of the group. */
  readonly leaseMsMax: number
  readonly onAnswer: (answer: BeatAnswer) => void
  /** The log was reached for the first time, or has answered after failures. */
  readonly onHeard: () => void
  /** A beat failed, or no connection came about; it is tried again. */
  readonly onError: (error: unknown) => void
  /** The keeper itself is gone: without it the worker must not go on. */
  readonly onDeath: (error: unknown) => void
}

/** A keeper in the worker's own loop; a node of a swarm then reports from there as well. */
export async function inlineKeeper(
  parts: KeeperParts,
  { clock, health, pulse, transport }: InlineSettings
): Promise<Keeper> {
  const coordinator = await transport.coordinator()
  const onAnswer = (answer: BeatAnswer, membership: number): void => {
    parts.onAnswer(answer)
    parts.lease.told(membership, answer.isLost)
  }
  const loop = new KeeperLoop({ ...parts, coordinator, clock, onAnswer, onRefused: parts.onDeath })
  if (health === undefined) return loop
  const isSettled = (): boolean => loop.isSettled
  const reports = new HealthReports({ ...health, pulse, clock, isSettled })
  return {
    start: () => {
      reports.start()
      return loop.start()
    },
    release: (tasks) => loop.release(tasks),
    leave: () => loop.leave().finally(() => reports.stop())
  }
}

export interface InlineSettings {
  readonly transport: Transport
  readonly clock: Clock
  readonly pulse: Pulse
  readonly health: HealthReporting | undefined
}

export interface ThreadSettings {
  readonly door: ThreadDoor
  readonly pulse: Pulse
  /** Of a node of a swarm. */
  readonly health: HealthReporting | undefined
}

/** A keeper on a thread of its own: it beats while the worker's loop is blocked. */
export class ThreadKeeper implements Keeper {
  readonly #parts: KeeperParts
  readonly #settings: ThreadSettings
  readonly #waiting = new Map<number, () => void>()
  #thread: Thread | undefined
  #nextId = 1
  #isLeaving = false
  #terminated: Promise<unknown> | undefined

  constructor(parts: KeeperParts, settings: ThreadSettings) {
    this.#parts = parts
    this.#settings = settings
  }

  start(): Promise<void> {
    const { door, health, pulse } = this.#settings
    const { shared, tasks } = pulse
    const { lease, leaseMsMax, request } = this.#parts
    const workerData: KeeperStart = {
      door,
      health,
      request,
      shared,
      tasks,
      lease: lease.shared,
      leaseMsMax
    }
    // Sources run unbuilt and the package is built: the thread has the ending that we have.
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const thread = new Thread(new URL(`./keeper-thread.${ending}`, import.meta.url), {
      workerData,
      name: 'tailrace keeper'
    })
    this.#thread = thread
    return new Promise((resolve, reject) => {
      const died = (error: unknown): void => {
        // Whoever leaves before the member has joined waits for this, and nothing has failed.
        if (this.#isLeaving) resolve()
        else reject(error)
        this.#died(error)
      }
      thread.on('message', (message: FromKeeper) => {
        if (message.kind === 'joined') resolve()
        else this.#take(message, died)
      })
      thread.on('error', died)
      thread.on('exit', () => died(new Error('the keeper thread ended')))
    })
  }

  #take(message: FromKeeper, died: (error: unknown) => void): void {
    switch (message.kind) {
      case 'answer':
        this.#parts.onAnswer(message.answer)
        this.#parts.lease.told(message.membership, message.answer.isLost)
        return
      case 'released':
        this.#waiting.get(message.id)?.()
        this.#waiting.delete(message.id)
        return
      case 'heard':
        this.#parts.onHeard()
        return
      case 'error':
        if (message.isFatal) died(errorOf(message.error))
        else this.#parts.onError(errorOf(message.error))
        return
      case 'left':
      case 'joined':
        return
    }
  }

  #died(error: unknown): void {
    for (const done of this.#waiting.values()) done()
    this.#waiting.clear()
    if (this.#isLeaving) return
    this.#isLeaving = true
    // A refused one has connections and timers still, and would hold the process for ever.
    this.#terminated = this.#thread?.terminate()
    this.#parts.onDeath(
      error instanceof TailraceError
        ? error
        : new TailraceError(
            'TAILRACE_TRANSPORT_UNAVAILABLE',
            `the keeper ended: ${messageOf(error)}`,
            {
              cause: error
            }
          )
    )
  }

  release(tasks: readonly string[]): Promise<void> {
    if (this.#isLeaving) return Promise.resolve()
    const id = this.#nextId++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#say({ kind: 'release', id, tasks })
    })
  }

  async leave(): Promise<void> {
    const thread = this.#thread
    await this.#terminated
    if (thread === undefined || this.#isLeaving) return
    this.#isLeaving = true
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    this.#say({ kind: 'leave' })
    await ended
  }

  #say(message: ToKeeper): void {
    this.#thread?.postMessage(message)
  }
}

/** One of ours says itself what it is; any other stays a plain error. */
function errorOf({ code, hint, message }: ToldError): Error {
  if (code === undefined) return new Error(message)
  return new TailraceError(code, message, hint === undefined ? {} : { hint })
}
