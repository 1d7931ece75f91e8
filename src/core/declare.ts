// The registry behind an app: takes declarations one by one and refuses what is plainly wrong.
import { json, string, type Codec } from './codec.ts'
import type {
  AgentBody,
  AgentDeclaration,
  BackgroundDeclaration,
  Declarations,
  GroupDeclaration,
  SinkDeclaration,
  StreamDeclaration,
  TableDeclaration,
  TimerDeclaration,
  TopicDeclaration
} from './declarations.ts'
import type { OnError } from './decision.ts'
import type { TableOptions, TopicOptions } from './declare-options.ts'
import { durationMs } from './duration.ts'
import { TailraceError } from './errors.ts'
import { checkOptions } from './option-check.ts'
import { groupShapes, inboxShapes, tableShapes, topicShapes } from './option-shapes.ts'
import { murmur2Partitioner } from './partitioner.ts'
import { nameProblem } from './problems.ts'
import type { Slot } from './schema.ts'
import type { GroupOptions, StreamHost } from './stream.ts'

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
    checkOptions(`topic "${name}"`, options, topicShapes)
    const topic: TopicDeclaration = { name, role: 'declared', ...this.#topicParts(name, options) }
    this.#topics.push(topic)
    return topic
  }

  /** A topic whose name comes with the agent that reads it. */
  inbox(options: TopicOptions): TopicDeclaration {
    this.#checkOpen('an inbox')
    checkOptions('an inbox', options, inboxShapes)
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
    checkOptions(`table "${name}"`, options, tableShapes)
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
    checkOptions(`groupBy "${name}"`, options, groupShapes)
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
