// Agents as users declare them: one function per task, typed by its source and its parts.
import type { AgentDeclaration, BackgroundContext, SinkDeclaration } from './declarations.ts'
import type { OnError } from './decision.ts'
import type { EngineSlot, Metadata } from './engine.ts'
import type { Event } from './event.ts'
import type { DeepReadonly } from './freeze.ts'
import type { StreamShape } from './stream.ts'
import type { ReadOf, ShardOf, TableShape } from './table.ts'
import type { KeyInputOf, KeyPart, HeadersInit, TopicShape, ValueInputOf } from './topic.ts'

/**
 * The events of one partition, in order: `for await (const event of events)`. Leaving the loop by
 * `break` or `return` while the partition is assigned is the error TAILRACE_AGENT_ENDED.
 */
export interface Events<K, V> extends AsyncIterable<Event<K, V>> {
  /** The values alone, for printing. */
  values(): AsyncIterable<DeepReadonly<V>>
  /**
   * Ends the loop on purpose after the current event. The task then reads no further on this
   * worker; what is left is there at the next start.
   */
  stop(): void
}

/** A topic or agent that was named under `outputs`: what is sent is part of the event's effect. */
export interface Output<KI, VI> {
  /**
   * Sends a record that becomes visible when the event is committed, and never if it fails. The
   * event's error policy is told of what is wrong with it, at stage `send`.
   *
   * @throws TAILRACE_SCHEMA_INVALID, TAILRACE_SCHEMA_ENCODE, TAILRACE_SCHEMA_TOO_LARGE
   * @throws TAILRACE_AGENT_NO_EVENT outside an event
   */
  send(
    record: KeyPart<KI> & {
      readonly value: VI
      readonly headers?: HeadersInit
      /** Event time in ms since 1970. @default the event's own timestamp */
      readonly timestamp?: number
    }
  ): void
}

/** The worker's log, with agent and partition in each line: fields first, then a sentence. */
export interface TaskLog {
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
}

/** The task that a function runs for. */
export interface Task {
  /** The partition of its sources, from 0. */
  readonly partition: number
  /**
   * Aborts when the task begins to stop or to move, and when the `timeout` of the event is over:
   * pass it on, so that what was started ends too. When the task ends, open events may still
   * finish, within `shutdownTimeout` or `drainTimeout`.
   */
  readonly signal: AbortSignal
  readonly log: TaskLog
}

export interface AgentShape {
  readonly kind: 'agent'
  readonly name: string
  readonly declaration: AgentDeclaration
}

/**
 * A declared agent. `K` and `R` are the keys it reads and what it yields, `KI` and `VI` what can be
 * sent to it.
 */
export interface Agent<KI, VI, R, K = unknown> extends AgentShape {
  readonly '~accepts'?: ((key: KI, value: VI) => void) | undefined
  /**
   * Attaches where yielded (or, with `app.each`, returned) values go, under the event's key. To
   * topics and agents they go as part of the event's effect; functions are called, in order.
   */
  sink(...to: readonly Sink<K, R>[]): this
  /**
   * Sends one record to the topic that the agent reads, outside any event; resolves when it is
   * durable.
   *
   * @throws TAILRACE_CONFIG_INVALID when it reads a derived stream; else as `topic.send`
   */
  send(
    record: KeyPart<KI> & { readonly value: VI; readonly headers?: HeadersInit }
  ): Promise<Metadata>
}

/** A topic or agent that takes values `R` by keys `K`, or a function. */
export type Sink<K, R> =
  | {
      readonly kind: 'topic' | 'agent'
      readonly '~accepts'?: ((key: K, value: R) => void) | undefined
    }
  | ((reply: R, event: Event<K>) => unknown)

export type AgentSource = TopicShape | StreamShape
export type TableParts = Readonly<Record<string, TableShape>>
export type OutputParts = Readonly<Record<string, TopicShape | AgentShape>>
export type NoParts = Readonly<Record<never, never>>

/** What an agent uses; the names are the user's, and the function gets the parts under them. */
export interface Uses<S, T, RD, O, K, V> {
  /** A topic, a stream, or `app.inbox(…)`. */
  readonly source: S
  /** Tables it writes; a table has one writer. */
  readonly tables?: T
  /** Tables it only reads: as they were before the current record. */
  readonly reads?: RD
  /** Topics or agents it sends to as part of the event's effect. */
  readonly outputs?: O
  /**
   * What becomes of an event that failed.
   *
   * @default the app's policy: 5 retries, then the dead letter topic if there is one, else stop
   */
  readonly onError?: OnError<K, V>
  /** A line for `tailrace agents`. @default none */
  readonly help?: string
}

export type OutputOf<T> = Output<KeyInputOf<T>, ValueInputOf<T>>

/** The parts under the user's names. */
export type Handed<T, RD, O> = { readonly [P in keyof T]: ShardOf<T[P]> } & {
  readonly [P in keyof RD]: ReadOf<RD[P]>
} & { readonly [P in keyof O]: OutputOf<O[P]> }

export type { BackgroundContext }

/** The topic that an agent can be sent to, if it reads one directly. */
export function inputTopicOf(agent: AgentDeclaration): TopicShape['declaration'] | undefined {
  return agent.source.kind === 'source' ? agent.source.topic : undefined
}

/** Makes the handle of a declared agent; `addSink` records where its answers go. */
export function agentHandle<KI, VI, R, K>(
  declaration: AgentDeclaration,
  slot: EngineSlot,
  addSink: (sink: SinkDeclaration) => void,
  refuse: (message: string) => never
): Agent<KI, VI, R, K> {
  const handle: Agent<KI, VI, R, K> = {
    kind: 'agent',
    name: declaration.name,
    declaration,
    sink(...to) {
      for (const sink of to) addSink(sinkOf(sink, refuse))
      return handle
    },
    send(record) {
      const topic = inputTopicOf(declaration)
      if (topic === undefined) {
        return refuse(
          `agent "${declaration.name}" reads a derived stream; send to its source topic`
        )
      }
      return slot.engine.send(topic, record)
    }
  }
  return handle
}

function sinkOf<K, R>(sink: Sink<K, R>, refuse: (message: string) => never): SinkDeclaration {
  if (typeof sink === 'function') {
    return { kind: 'call', run: sink as Extract<SinkDeclaration, { kind: 'call' }>['run'] }
  }
  const shape = sink as TopicShape | AgentShape
  if (shape.kind === 'topic') return { kind: 'topic', topic: shape.declaration }
  const topic = inputTopicOf(shape.declaration)
  if (topic !== undefined) return { kind: 'topic', topic }
  return refuse(`agent "${shape.name}" reads a derived stream and cannot be a sink`)
}
