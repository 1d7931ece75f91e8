// Data plane. `app.each`: a function called for each event; awaited only when it returns a promise.
import { TailraceError } from '../core/errors.ts'
import type { AgentBody } from '../core/declarations.ts'
import type { StreamEvent } from '../core/event.ts'
import { isThenable } from '../core/schema.ts'
import type { Cancel, Clock } from '../port/clock.ts'
import { type AgentRunParts, type Call, deliver, newCall } from './agent-run.ts'
import type { Outcome, ProcessorRun } from './processor.ts'

type EachBody = Extract<AgentBody, { kind: 'each' }>

export class EachRun implements ProcessorRun {
  readonly name: string
  readonly onError: ProcessorRun['onError']
  readonly #parts: AgentRunParts
  readonly #body: EachBody
  readonly #clock: Clock
  #call: Call | undefined
  /** Of the call, where its time is limited. */
  #limit: CallLimit | undefined
  #settled: Promise<void> = Promise.resolve()

  constructor(parts: AgentRunParts, body: EachBody, clock: Clock) {
    this.name = parts.agent.name
    this.onError = parts.agent.onError
    this.#parts = parts
    this.#body = body
    this.#clock = clock
  }

  offer(event: StreamEvent): Outcome {
    const call = this.#call ?? this.#begin()
    call.scope.event = event
    const reply = this.#body.run(event, call.parts, call.task)
    if (isThenable(reply)) {
      this.#settled = this.#finishLater(call, Promise.resolve(reply))
      return 'pending'
    }
    const delivery = reply === undefined ? undefined : deliver(this.#parts, call.scope, reply)
    if (delivery !== undefined) {
      this.#settled = this.#finishLater(
        call,
        delivery.then(() => undefined)
      )
      return 'pending'
    }
    call.scope.event = undefined
    return 'done'
  }

  #begin(): Call {
    const { timeoutMs } = this.#body
    if (timeoutMs !== undefined) this.#limit = new CallLimit(this.#parts.signal, this.#clock)
    this.#call = newCall(this.#parts, this.#limit?.signal)
    return this.#call
  }

  async #finishLater(call: Call, running: Promise<unknown>): Promise<void> {
    const limit = this.#limit
    if (limit !== undefined) this.#watch(call, limit)
    try {
      const reply = await running
      if (call.scope.isDead) return
      if (reply !== undefined) await deliver(this.#parts, call.scope, reply)
      if (call.scope.isDead) return
      limit?.cancel()
      call.scope.event = undefined
      this.#parts.owner.completed()
    } catch (error) {
      if (!call.scope.isDead) this.#parts.owner.failed(error)
    }
  }

  // A handler cannot be stopped, only asked: it is given up, and what it still writes is refused.
  #watch(call: Call, limit: CallLimit): void {
    const timeoutMs = this.#body.timeoutMs ?? 0
    limit.start(timeoutMs, () => {
      const error = new TailraceError(
        'TAILRACE_AGENT_TIMEOUT',
        `agent "${this.name}" worked on one event for longer than its timeout of ${timeoutMs} ms`
      )
      // Before the signal: who listens to it may write, and may end the call in its own way.
      call.scope.end()
      limit.abort(error)
      this.#parts.owner.failed(error)
    })
  }

  discard(): void {
    this.#call?.scope.end()
    this.#call = undefined
    this.#limit?.end()
    this.#limit = undefined
    // It may never return: nobody waits for a call that is given up.
    this.#settled = Promise.resolve()
  }

  end(): Promise<void> {
    return this.#settled
  }
}

/** A limit of time on the events of one call, and the signal that says when it is over. */
class CallLimit {
  readonly #clock: Clock
  readonly #abort = new AbortController()
  readonly #task: AbortSignal
  #cancel: Cancel = () => undefined

  constructor(task: AbortSignal, clock: Clock) {
    this.#clock = clock
    this.#task = task
    if (task.aborted) this.#follow()
    else task.addEventListener('abort', this.#follow)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  readonly #follow = (): void => this.#abort.abort(this.#task.reason)

  start(limitMs: number, onOver: () => void): void {
    this.#cancel = this.#clock.schedule(limitMs, onOver)
  }

  abort(error: TailraceError): void {
    this.#abort.abort(error)
  }

  cancel(): void {
    this.#cancel()
  }

  /** The call is over: nobody listens any more. */
  end(): void {
    this.#cancel()
    this.#task.removeEventListener('abort', this.#follow)
  }
}
