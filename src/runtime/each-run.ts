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
  #settled: Promise<void> = Promise.resolve()

  constructor(parts: AgentRunParts, body: EachBody, clock: Clock) {
    this.name = parts.agent.name
    this.onError = parts.agent.onError
    this.#parts = parts
    this.#body = body
    this.#clock = clock
  }

  offer(event: StreamEvent): Outcome {
    this.#call ??= newCall(this.#parts)
    const call = this.#call
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

  async #finishLater(call: Call, running: Promise<unknown>): Promise<void> {
    const cancel = this.#watch(call)
    try {
      const reply = await running
      if (call.scope.isDead) return
      if (reply !== undefined) await deliver(this.#parts, call.scope, reply)
      cancel()
      if (call.scope.isDead) return
      call.scope.event = undefined
      this.#parts.owner.completed()
    } catch (error) {
      cancel()
      if (!call.scope.isDead) this.#parts.owner.failed(error)
    }
  }

  // The handler cannot be stopped; what it writes after its time is refused.
  #watch(call: Call): Cancel {
    const { timeoutMs } = this.#body
    if (timeoutMs === undefined) return () => undefined
    return this.#clock.schedule(timeoutMs, () => {
      if (call.scope.isDead || call.scope.event === undefined) return
      this.#parts.owner.failed(
        new TailraceError(
          'TAILRACE_AGENT_TIMEOUT',
          `agent "${this.name}" worked on one event for longer than its timeout of ${timeoutMs} ms`
        )
      )
    })
  }

  discard(): void {
    this.#call?.scope.end()
    this.#call = undefined
    // It may never return: nobody waits for a call that is given up.
    this.#settled = Promise.resolve()
  }

  end(): Promise<void> {
    return this.#settled
  }
}
