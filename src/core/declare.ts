// The registry behind an app: takes declarations one by one and refuses what is plainly wrong.
import { json, string, type Codec } from './codec.ts'
import type {
  AgentBody,
  AgentDeclaration,
  BackgroundDeclaration,
  Declarations,
  GroupDeclaration,
  LateEvent,
  SinkDeclaration,
  StreamDeclaration,
  TableDeclaration,
  TimerDeclaration,
  TopicDeclaration
} from './declarations.ts'
import type { OnError } from './decision.ts'
import { type Duration, durationMs } from './duration.ts'
import { TailraceError } from './errors.ts'
import { murmur2Partitioner, type Partitioner } from './partitioner.ts'
import { nameProblem } from './problems.ts'
import type { Schema, Slot } from './schema.ts'
import type { GroupOptions, StreamHost } from './stream.ts'
import type { Window } from './window.ts'

export interface TopicOptions {
  /** Schema of the key. @default string or null */
  readonly key?: Schema | undefined
  /** Schema of the value. @default none: the value is `unknown` */
  readonly value?: Schema | undefined
  /** @default string */
  readonly keyCodec?: Codec
  /** @default the app's codec, json unless set */
  readonly codec?: Codec
  /** @default what exists, else 8 */
  readonly partitions?: number
  /** How long records are kept. -1: for ever. @default 7 days */
  readonly retention?: Duration
  /** @default 'delete' */
  readonly cleanupPolicy?: 'delete' | 'compact' | 'compact,delete'
  /** @default 1 in development */
  readonly replication?: number
  /** Further settings of the log, by Kafka's names. */
  readonly config?: Readonly<Record<string, string>>
  /** How the producer of this topic chooses partitions. @default murmur2, as Java's */
  readonly partitioner?: Partitioner
}

export interface TableOptions {
  readonly key: Schema
  readonly value: Schema
  readonly initial?: (() => unknown) | undefined
  readonly window?: Window | undefined
  readonly keyCodec?: Codec
  readonly codec?: Codec
  /** `partition` gives each partition rows of its own, unchecked. @default 'key' */
  readonly scope?: 'key' | 'partition'
  readonly partitioner?: Partitioner
  /** Told of each event that came too late for a window. */
  readonly onLate?: (late: LateEvent) => void
}

export interface AgentParts {
  readonly source: StreamDeclaration
  readonly tables: Readonly<Record<string, TableDeclaration>>
  readonly reads: Readonly<Record<string, TableDeclaration>>
  readonly outputs: Readonly<Record<string, TopicDeclaration>>
  readonly onError: OnError | undefined
  readonly help: string | undefined
}

export interface DeclarationSettings {
  readonly id: string
  readonly codec: Codec | undefined
  readonly deadLetter: string | undefined
  readonly onError: OnError | undefined
}

type Mutable<T> = { -readonly [P in keyof T]: T[P] }

export class AppDeclaration implements StreamHost {
  readonly #settings: DeclarationSettings
  readonly #topics: TopicDeclaration[] = []
  readonly #tables: TableDeclaration[] = []
  readonly #groups: GroupDeclaration[] = []
  readonly #agents: AgentDeclaration[] = []
  readonly #timers: TimerDeclaration[] = []
  readonly #tasks: BackgroundDeclaration[] = []
  #isSealed = false

  constructor(settings: DeclarationSettings) {
    this.#settings = settings
  }

  /** From now on every further declaration is refused. */
  seal(): Declarations {
    this.#isSealed = true
    return this.declarations()
  }

  declarations(): Declarations {
    return {
      id: this.#settings.id,
      topics: this.#topics,
      tables: this.#tables,
      groups: this.#groups,
      agents: this.#agents,
      timers: this.#timers,
      tasks: this.#tasks,
      deadLetter: this.#settings.deadLetter,
      onError: this.#settings.onError
    }
  }

  topic(name: string, options: TopicOptions): TopicDeclaration {
    this.#checkName('topic', name)
    const topic: TopicDeclaration = { name, role: 'declared', ...this.#topicParts(name, options) }
    this.#topics.push(topic)
    return topic
  }

  /** A topic whose name comes with the agent that reads it. */
  inbox(options: TopicOptions): TopicDeclaration {
    this.#checkOpen('an inbox')
    const inbox: Mutable<TopicDeclaration> = {
      name: '',
      role: 'inbox',
      ...this.#topicParts('inbox', options)
    }
    this.#topics.push(inbox)
    return inbox
  }

  table(name: string, options: TableOptions): TableDeclaration {
    this.#checkName('table', name)
    const table: TableDeclaration = {
      name,
      key: { schema: options.key, codec: options.keyCodec ?? (string as Codec) },
      value: { schema: options.value, codec: options.codec ?? this.#valueCodec },
      initial: options.initial,
      window: options.window,
      scope: options.scope ?? 'key',
      partitioner: options.partitioner ?? murmur2Partitioner,
      onLate: options.onLate
    }
    this.#tables.push(table)
    return table
  }

  declareGroup(
    from: StreamDeclaration,
    name: string,
    keyOf: GroupDeclaration['keyOf'],
    options: GroupOptions<never>
  ): GroupDeclaration {
    this.#checkName('group', name)
    const origin = passThroughOrigin(from)
    const key: Slot = { schema: options.key, codec: options.codec ?? (string as Codec) }
    const topic: TopicDeclaration = {
      name: `${this.#settings.id}-${name}-repartition`,
      role: 'repartition',
      key,
      value: origin?.value ?? { schema: undefined, codec: this.#valueCodec },
      partitions: options.partitions,
      retentionMs: -1,
      cleanupPolicy: 'delete',
      replication: undefined,
      extra: {},
      partitioner: murmur2Partitioner
    }
    const isPassThrough = origin !== undefined
    const group: GroupDeclaration = { kind: 'group', name, from, keyOf, topic, isPassThrough }
    this.#topics.push(topic)
    this.#groups.push(group)
    return group
  }

  agent(
    name: string,
    parts: AgentParts,
    body: AgentBody
  ): { readonly agent: AgentDeclaration; readonly addSink: (sink: SinkDeclaration) => void } {
    this.#checkName('agent', name)
    const inbox = parts.source.kind === 'source' ? parts.source.topic : undefined
    if (inbox?.role === 'inbox') this.#nameInbox(inbox, name)
    const sinks: SinkDeclaration[] = []
    const agent: AgentDeclaration = { name, ...parts, sinks, body }
    this.#agents.push(agent)
    return {
      agent,
      addSink: (sink) => {
        this.#checkOpen(`a sink of agent "${name}"`)
        sinks.push(sink)
      }
    }
  }

  timer(timer: TimerDeclaration): void {
    this.#checkName('timer', timer.name)
    this.#timers.push(timer)
  }

  task(task: BackgroundDeclaration): void {
    this.#checkName('task', task.name)
    this.#tasks.push(task)
  }

  get #valueCodec(): Codec {
    return this.#settings.codec ?? json
  }

  #topicParts(name: string, options: TopicOptions): Omit<TopicDeclaration, 'name' | 'role'> {
    const { partitions, retention } = options
    if (partitions !== undefined && !(Number.isInteger(partitions) && partitions > 0)) {
      throw new TailraceError(
        'TAILRACE_CONFIG_INVALID',
        `"partitions" of ${name} is ${partitions}; expected a whole number from 1`
      )
    }
    return {
      key: { schema: options.key, codec: options.keyCodec ?? (string as Codec) },
      value: { schema: options.value, codec: options.codec ?? this.#valueCodec },
      partitions,
      retentionMs:
        retention === undefined || retention === -1
          ? retention
          : durationMs(retention, `"retention" of ${name}`),
      cleanupPolicy: options.cleanupPolicy ?? 'delete',
      replication: options.replication,
      extra: options.config ?? {},
      partitioner: options.partitioner ?? murmur2Partitioner
    }
  }

  #nameInbox(inbox: TopicDeclaration, agent: string): void {
    if (inbox.name !== '') {
      throw new TailraceError(
        'TAILRACE_CONFIG_INVALID',
        `agent "${agent}" uses the inbox that is already "${inbox.name}"; an inbox has one agent`,
        { hint: 'Call app.inbox again, or declare a topic that both agents read.' }
      )
    }
    const named = inbox as Mutable<TopicDeclaration>
    named.name = `${this.#settings.id}-${agent}`
  }

  #checkName(kind: string, name: string): void {
    this.#checkOpen(`${kind} "${name}"`)
    const problem = nameProblem(name)
    if (problem === undefined) return
    throw new TailraceError('TAILRACE_CONFIG_INVALID', `the name of a ${kind}: ${problem}`)
  }

  #checkOpen(what: string): void {
    if (!this.#isSealed) return
    throw new TailraceError(
      'TAILRACE_CONFIG_STARTED',
      `${what} was declared after the app had been started`
    )
  }
}

// The topic whose value bytes reach the end of the stream unchanged, if there is exactly one.
function passThroughOrigin(stream: StreamDeclaration): TopicDeclaration | undefined {
  if (stream.kind === 'source') return stream.topic
  if (stream.kind === 'group') return stream.isPassThrough ? stream.topic : undefined
  if (stream.kind === 'merge' || stream.step.kind === 'map') return undefined
  return passThroughOrigin(stream.from)
}
