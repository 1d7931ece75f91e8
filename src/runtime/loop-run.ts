// Data plane. `app.agent`: a loop over events; its iterator knows when an event is worked through.
//
// JavaScript calls the iterator's `return` for `break`, `return` and `throw` alike, so `return`
// decides nothing: the event stays open until the agent's function settles, and that decides.
import type { AgentBody } from '../core/declarations.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { StreamEvent } from '../core/event.ts'
import { type AgentRunParts, type Call, deliver, newCall } from './agent-run.ts'
import type { Outcome, ProcessorRun } from './processor.ts'

type LoopBody = Extract<AgentBody, { kind: 'loop' }>

export class LoopRun implements ProcessorRun {
  readonly name: string
  readonly onError: ProcessorRun['onError']
  readonly #parts: AgentRunParts
  readonly #body: LoopBody
  #loop: Loop | undefined

  constructor(parts: AgentRunParts, body: LoopBody) {
    this.name = parts.agent.name
    this.onError = parts.agent.onError
    this.#parts = parts
    this.#body = body
  }

  offer(event: StreamEvent): Outcome {
    if (this.#loop?.isOver === true) this.#loop = undefined
    if (this.#loop === undefined) {
      const loop = new Loop(this.#parts, this.#body)
      this.#loop = loop
      loop.give(event)
      loop.begin()
    } else {
      if (this.#loop.isStopped) return 'stopped'
      this.#loop.give(event)
    }
    return 'pending'
  }

  discard(): void {
    this.#loop?.abandon()
    this.#loop = undefined
  }

  async end(): Promise<void> {
    await this.#loop?.finish()
    this.#loop = undefined
  }
}

type Next = IteratorResult<StreamEvent, undefined>
const ended: Next = { done: true, value: undefined }

/** One call of the agent's function, and the iterator it walks. */
class Loop implements AsyncIterator<StreamEvent, undefined> {
  readonly #parts: AgentRunParts
  readonly #body: LoopBody
  readonly #call: Call
  /** Offered, and not yet taken by the loop. */
  #offered: StreamEvent | undefined
  #waiter: ((next: Next) => void) | undefined
  #isEnding = false
  #isStoppedOnPurpose = false
  #isOver = false
  #settled: Promise<void> = Promise.resolve()

  constructor(parts: AgentRunParts, body: LoopBody) {
    this.#parts = parts
    this.#body = body
    this.#call = newCall(parts)
  }

  /** True after `events.stop()`, once the event it was called in is worked through. */
  get isStopped(): boolean {
    return this.#isStoppedOnPurpose
  }

  /** True when the function ended between two events: the next one begins another call. */
  get isOver(): boolean {
    return this.#isOver
  }

  begin(): void {
    this.#settled = this.#run()
  }

  give(event: StreamEvent): void {
    const waiter = this.#waiter
    if (waiter === undefined) {
      this.#offered = event
      return
    }
    this.#waiter = undefined
    this.#call.scope.event = event
    waiter({ done: false, value: event })
  }

  next(): Promise<Next> {
    const { scope } = this.#call
    if (scope.event !== undefined) {
      scope.event = undefined
      // The task may offer the next event before this call returns.
      this.#parts.owner.completed()
    }
    // Its writes may have been refused: then this call was given up.
    if (scope.isDead || this.#isEnding || this.#isStoppedOnPurpose) return Promise.resolve(ended)
    const event = this.#offered
    if (event === undefined) {
      return new Promise((resolve) => {
        this.#waiter = resolve
      })
    }
    this.#offered = undefined
    scope.event = event
    return Promise.resolve({ done: false, value: event })
  }

  return(): Promise<Next> {
    return Promise.resolve(ended)
  }

  async #run(): Promise<void> {
    const { scope } = this.#call
    try {
      const result = this.#body.run(this.#events(), this.#call.parts, this.#call.task)
      if (Symbol.asyncIterator in result) await this.#drive(result)
      else await result
    } catch (error) {
      this.#settle(error)
      return
    }
    if (scope.isDead || this.#isEnding) return
    this.#settle(this.#isStoppedOnPurpose ? undefined : this.#endedError())
  }

  async #drive(generator: AsyncGenerator<unknown, void, void>): Promise<void> {
    const { scope } = this.#call
    for (;;) {
      const step = await generator.next()
      if (step.done === true || scope.isDead) return
      await deliver(this.#parts, scope, step.value)
    }
  }

  // The function has settled: an event it holds failed, or was its last one on purpose.
  #settle(error: unknown): void {
    const { scope } = this.#call
    if (scope.isDead) return
    const isOpen = scope.event !== undefined || this.#offered !== undefined
    if (error === undefined) {
      if (scope.event !== undefined) {
        scope.event = undefined
        this.#parts.owner.completed()
      }
      return
    }
    if (isOpen) {
      this.#parts.owner.failed(error)
      return
    }
    // No event is to blame, so no policy is asked.
    this.#isOver = true
    scope.end()
    const fields = { agent: this.#parts.agent.name, err: error }
    this.#parts.log.error(fields, `an agent ended between events: ${messageOf(error)}`)
  }

  #endedError(): TailraceError {
    return new TailraceError(
      'TAILRACE_AGENT_ENDED',
      `agent "${this.#parts.agent.name}" returned while partition ` +
        `${this.#parts.partition} is assigned to it`
    )
  }

  #events(): object {
    return {
      [Symbol.asyncIterator]: () => this,
      values: () => ({ [Symbol.asyncIterator]: () => new Values(this) }),
      stop: () => {
        this.#isStoppedOnPurpose = true
      }
    }
  }

  /** Breaks off: whatever the function still does is refused and ignored. */
  abandon(): void {
    this.#call.scope.end()
    this.#offered = undefined
    this.#wakeUp()
  }

  /** Ends between events, and waits until the function has settled. */
  async finish(): Promise<void> {
    this.#isEnding = true
    this.#wakeUp()
    await this.#settled
    this.#call.scope.end()
  }

  #wakeUp(): void {
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.(ended)
  }
}

/** The same loop, values only. */
class Values implements AsyncIterator<unknown, undefined> {
  readonly #loop: Loop

  constructor(loop: Loop) {
    this.#loop = loop
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    const next = await this.#loop.next()
    return next.done === true ? ended : { done: false, value: next.value.value }
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    return Promise.resolve(ended)
  }
}
