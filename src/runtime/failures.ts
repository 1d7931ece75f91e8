// What a task does about a failed event: asks the policy, then waits, sends a dead letter, goes on
// or stops. The event is undone by the time it comes here.
import { backoffMs, type Decision, type Failure } from '../core/decision.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Cancel } from '../port/clock.ts'
import { processorOf, type RecordUnderWay, toNextRoute } from './open-record.ts'
import { deadLetterOf, decide, explained, failureOf, isBeyondEvents, settle } from './policy.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import type { TaskHost } from './task-host.ts'

export interface FailuresParts {
  readonly task: string
  readonly host: TaskHost
  /** Takes a dead letter as part of the record's effect. */
  readonly journal: { send(record: OutgoingRecord): void }
  /** False when the task has gone on to something else meanwhile. */
  readonly isCurrent: (open: RecordUnderWay) => boolean
  readonly resume: () => void
}

export class Failures {
  readonly #parts: FailuresParts
  readonly #host: TaskHost
  #cancelWait: Cancel = () => undefined

  constructor(parts: FailuresParts) {
    this.#parts = parts
    this.#host = parts.host
  }

  /** Ends a wait before a retry. */
  cancel(): void {
    this.#cancelWait()
  }

  take(open: RecordUnderWay, thrown: unknown, stage: Failure['stage']): void {
    if (isBeyondEvents(thrown)) {
      this.#host.stopWorker(thrown)
      return
    }
    open.attempts++
    const { attempts, event, inflow } = open
    const error = explained(thrown, processorOf(open))
    const failure = failureOf(inflow.queue, { error, stage, attempts, event })
    this.#host.counters.failures++
    const onError = inflow.routes[open.routeIndex]?.run.onError ?? this.#host.onError
    try {
      const decision = decide(onError, failure)
      if (!(decision instanceof Promise)) {
        this.#apply(open, failure, decision)
        return
      }
      decision
        .then((settled) => this.#applyLater(open, failure, settled))
        .catch((reason: unknown) => this.#host.stopWorker(reason))
    } catch (reason) {
      this.#host.stopWorker(reason)
    }
  }

  #applyLater(open: RecordUnderWay, failure: Failure, decision: Decision): void {
    if (!this.#parts.isCurrent(open)) return
    this.#apply(open, failure, decision)
    this.#parts.resume()
  }

  #apply(open: RecordUnderWay, failure: Failure, asked: Decision): void {
    const host = this.#host
    const decision = settle(asked, failure, host.deadLetter !== undefined)
    host.reportFailure(this.#parts.task, failure, decision, processorOf(open))
    switch (decision.kind) {
      case 'retry':
        this.#cancelWait = host.clock.schedule(
          backoffMs(decision, failure.attempts, host.random()),
          () => this.#retry(open)
        )
        return
      case 'dead-letter':
        this.#sendDeadLetter(open, failure, decision.topic)
        return
      case 'skip':
        host.counters.skipped++
        toNextRoute(open)
        return
      case 'stop':
        host.stopWorker(failure.error)
    }
  }

  #retry(open: RecordUnderWay): void {
    if (!this.#parts.isCurrent(open)) return
    open.phase = open.event?.isPlain === true ? 'ready' : 'decode'
    this.#parts.resume()
  }

  #sendDeadLetter(open: RecordUnderWay, failure: Failure, named: string | undefined): void {
    const host = this.#host
    const topic = named ?? host.deadLetter
    if (topic === undefined) {
      host.stopWorker(withoutTopic(processorOf(open), failure))
      return
    }
    // A record that nobody can read is one dead letter, however many agents wanted it.
    if (open.deadLettered?.has(topic) !== true) {
      if (failure.stage === 'decode') open.deadLettered = new Set(open.deadLettered).add(topic)
      const to = { topic, partitions: host.partitionsOf(topic), agent: processorOf(open) }
      const letter = deadLetterOf(open.inflow.queue, failure, to)
      try {
        host.limits.checkPassedOn(topic, letter)
      } catch (error) {
        // Nobody is left to ask: what cannot even be put aside must not be lost.
        host.stopWorker(misfit(error, failure))
        return
      }
      this.#parts.journal.send(letter)
      host.counters.deadLettered++
    }
    toNextRoute(open)
  }
}

function withoutTopic(agent: string, failure: Failure): TailraceError {
  return new TailraceError(
    'TAILRACE_CONFIG_INVALID',
    `agent "${agent}" dead-letters a record, and the app has no dead letter topic: ` +
      messageOf(failure.error),
    { hint: 'Set `deadLetter` in createApp, or name a topic: deadLetter(topic).' }
  )
}

function misfit(error: unknown, { record }: Failure): unknown {
  if (!(error instanceof TailraceError)) return error
  const { offset, partition, topic } = record
  const where = `the dead letter of "${topic}" partition ${partition} offset ${offset}`
  return new TailraceError(error.code, `${where} does not fit its topic: ${error.sentence}`, {
    hint:
      'Raise the limit of the dead letter topic: headers that say what happened come on top of ' +
      'the record. Or let onError skip such a record.',
    cause: error,
    context: { topic, partition, offset: Number(offset) }
  })
}
