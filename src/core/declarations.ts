// What was declared, as plain data: the typed handles of users carry these, the runtime reads them.
import type { OnError } from './decision.ts'
import type { StreamEvent } from './event.ts'
import type { Partitioner } from './partitioner.ts'
import type { Slot } from './schema.ts'
import type { Window } from './window.ts'

export type TopicRole = 'declared' | 'inbox' | 'repartition'

export interface TopicDeclaration {
  readonly name: string
  readonly role: TopicRole
  readonly key: Slot
  readonly value: Slot
  /** Undefined: 8 when it is made, or whatever an existing topic has. */
  readonly partitions: number | undefined
  /** Undefined: the log's own default. -1: for ever. */
  readonly retentionMs: number | undefined
  readonly cleanupPolicy: 'delete' | 'compact' | 'compact,delete'
  readonly replication: number | undefined
  readonly extra: Readonly<Record<string, string>>
  readonly partitioner: Partitioner
}

export interface TableDeclaration {
  readonly name: string
  readonly key: Slot
  readonly value: Slot
  readonly initial: (() => unknown) | undefined
  readonly window: Window | undefined
  /** `key`: a key has one owner partition. `partition`: each partition has its own rows. */
  readonly scope: 'key' | 'partition'
  readonly partitioner: Partitioner
  readonly onLate: ((late: LateEvent) => void) | undefined
}

/** An event that came after its window closed; it changed nothing in that window. Times in ms. */
export interface LateEvent {
  readonly table: string
  readonly key: unknown
  /** The moment that the write was for. */
  readonly timestamp: number
  readonly windowStart: number
  /** Of the task: the window was closed because this is at or beyond its end and grace. */
  readonly streamTime: number
}

/** A synchronous step on the way from a source to an agent. */
export type Step =
  | { readonly kind: 'map'; readonly run: (event: StreamEvent) => unknown }
  | { readonly kind: 'filter'; readonly run: (event: StreamEvent) => unknown }
  | { readonly kind: 'tap'; readonly run: (event: StreamEvent) => unknown }

export type StreamDeclaration =
  | { readonly kind: 'source'; readonly topic: TopicDeclaration }
  | { readonly kind: 'step'; readonly from: StreamDeclaration; readonly step: Step }
  | { readonly kind: 'merge'; readonly from: readonly StreamDeclaration[] }
  | GroupDeclaration

export interface GroupDeclaration {
  readonly kind: 'group'
  readonly name: string
  readonly from: StreamDeclaration
  readonly keyOf: (event: StreamEvent) => unknown
  /** The repartition topic between its two sides. */
  readonly topic: TopicDeclaration
  /** True when values pass unchanged, so their bytes can be handed on as they are. */
  readonly isPassThrough: boolean
}

/** Where the values that an agent yields or returns go. */
export type SinkDeclaration =
  | { readonly kind: 'topic'; readonly topic: TopicDeclaration }
  | { readonly kind: 'call'; readonly run: (reply: unknown, event: StreamEvent) => unknown }

/** The function of an agent, with its types erased. */
export type AgentBody =
  | {
      readonly kind: 'loop'
      readonly run: (
        events: unknown,
        parts: unknown,
        task: unknown
      ) => AsyncGenerator<unknown, void, void> | Promise<void>
    }
  | {
      readonly kind: 'each'
      readonly run: (event: unknown, parts: unknown, task: unknown) => unknown
      readonly timeoutMs: number | undefined
      /** Events of a partition at a time. */
      readonly concurrency: number
      /** Which of them keep their order among each other, with a concurrency above 1. */
      readonly order: 'key' | 'none'
    }

export interface AgentDeclaration {
  readonly name: string
  readonly help: string | undefined
  readonly source: StreamDeclaration
  readonly tables: Readonly<Record<string, TableDeclaration>>
  readonly reads: Readonly<Record<string, TableDeclaration>>
  readonly outputs: Readonly<Record<string, TopicDeclaration>>
  readonly sinks: readonly SinkDeclaration[]
  readonly onError: OnError | undefined
  readonly body: AgentBody
}

/** True for an agent that works on several events of a partition at once. */
export function isParallel({ body }: AgentDeclaration): boolean {
  return body.kind === 'each' && body.concurrency > 1
}

/** What a timer or task gets: a signal that aborts when the worker stops or loses the leader. */
export interface BackgroundContext {
  readonly signal: AbortSignal
}

export interface TimerDeclaration {
  readonly name: string
  readonly everyMs: number
  readonly onLeader: boolean
  readonly immediate: boolean
  readonly run: (context: BackgroundContext) => unknown
}

export interface BackgroundDeclaration {
  readonly name: string
  readonly onLeader: boolean
  readonly run: (context: BackgroundContext) => unknown
}

/** Everything that one app declares. */
export interface Declarations {
  readonly id: string
  readonly topics: readonly TopicDeclaration[]
  readonly tables: readonly TableDeclaration[]
  readonly groups: readonly GroupDeclaration[]
  readonly agents: readonly AgentDeclaration[]
  readonly timers: readonly TimerDeclaration[]
  readonly tasks: readonly BackgroundDeclaration[]
  readonly deadLetter: string | undefined
  readonly onError: OnError | undefined
}
