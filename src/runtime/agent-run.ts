// Data plane. What loops and handlers of one task share: scopes, parts, sinks.
import type { AgentDeclaration } from '../core/declarations.ts'
import type { StreamEvent } from '../core/event.ts'
import { isThenable } from '../core/schema.ts'
import { handedParts, type PartsContext, sendWithin } from './agent-parts.ts'
import type { Journal } from './journal.ts'
import type { Log } from './log.ts'
import type { StepOwner } from './processor.ts'
import { Scope } from './scope.ts'
import type { TaskTime } from './task-time.ts'

export interface AgentRunParts {
  readonly agent: AgentDeclaration
  readonly owner: StepOwner
  readonly journal: Journal
  readonly time: TaskTime
  readonly context: PartsContext
  readonly partition: number
  readonly signal: AbortSignal
  readonly log: Log
}

/** One call of an agent's function: its scope, and what it is handed. */
export interface Call {
  readonly scope: Scope
  readonly parts: Readonly<Record<string, unknown>>
  readonly task: { readonly partition: number; readonly signal: AbortSignal; readonly log: Log }
}

/** `signal`: where a call has one of its own. */
export function newCall(run: AgentRunParts, signal: AbortSignal = run.signal): Call {
  const scope = new Scope(run.agent.name, run.journal, run.time)
  const parts = handedParts(run.agent, scope, run.context)
  return { scope, parts, task: { partition: run.partition, signal, log: run.log } }
}

/** Hands a yielded or returned value to the sinks, in order; awaits only what must be awaited. */
export function deliver(
  run: AgentRunParts,
  scope: Scope,
  reply: unknown
): Promise<void> | undefined {
  const { sinks } = run.agent
  if (sinks.length === 0) return undefined
  const event = scope.require('yielded a value')
  return deliverFrom(run, { scope, reply, event }, 0)
}

interface Delivery {
  readonly scope: Scope
  readonly reply: unknown
  readonly event: StreamEvent
}

function deliverFrom(run: AgentRunParts, what: Delivery, from: number): Promise<void> | undefined {
  const { sinks } = run.agent
  for (let index = from; index < sinks.length; index++) {
    const sink = sinks[index]
    if (sink === undefined) continue
    if (sink.kind === 'topic') {
      const { event, reply, scope } = what
      sendWithin(sink.topic, { key: event.key, value: reply }, scope, run.context)
      continue
    }
    const result = sink.run(what.reply, what.event)
    if (isThenable(result)) {
      // The call may have been given up meanwhile: the sinks behind belong to its next try.
      return Promise.resolve(result).then(() =>
        what.scope.isDead ? undefined : deliverFrom(run, what, index + 1)
      )
    }
  }
  return undefined
}
