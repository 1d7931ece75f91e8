// The public app: typed declarations over the registry, and the ways to start what was declared.
import type { Hono } from 'hono'
import {
  type Agent,
  type AgentShape,
  type AgentSource,
  agentHandle,
  type Events,
  type Handed,
  inputTopicOf,
  type NoParts,
  type OutputParts,
  type TableParts,
  type Task,
  type Uses
} from '../core/agent.ts'
import type { AgentBody, TopicDeclaration } from '../core/declarations.ts'
import { AppDeclaration } from '../core/declare.ts'
import type { TableOptions, TopicOptions } from '../core/declare-options.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { EngineSlot } from '../core/engine.ts'
import { TailraceError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { checkFunction, checkOptions } from '../core/option-check.ts'
import { agentShapes, eachShapes, taskShapes, timerShapes } from '../core/option-shapes.ts'
import type { InputOf, OutputOf, Schema } from '../core/schema.ts'
import { declarationOf, type Stream, streamHandle } from '../core/stream.ts'
import { type Table, tableHandle, type TableShape } from '../core/table.ts'
import {
  type KeyInputOf,
  type KeyOf,
  type Topic,
  topicHandle,
  type TopicShape,
  type ValueInputOf,
  type ValueOf
} from '../core/topic.ts'
import type { Window } from '../core/window.ts'
import { createPages } from '../web/pages.ts'
import type { NodeHook } from './node-hooks.ts'
import type { AppOptions } from './options.ts'
import { checkAppOptions } from './resolve-options.ts'
import { AppRunner, type StartOptions, type Worker } from './runner.ts'

/** The types of a declared topic: without a key schema, keys are strings or null. */
export type TopicOf<KS, VS> = Topic<
  KS extends Schema ? OutputOf<KS> : string | null,
  VS extends Schema ? OutputOf<VS> : unknown,
  KS extends Schema ? InputOf<KS> : string | null,
  VS extends Schema ? InputOf<VS> : unknown
>

type With<Base, Slots> = Omit<Base, keyof Slots> & Slots

/** What `app.each` takes beside what an agent uses. */
export interface EachOptions {
  /**
   * An event that its handler awaits for longer, from 1 ms, fails with TAILRACE_AGENT_TIMEOUT: the
   * error policy decides about it, `task.signal` aborts, what the handler still writes is refused,
   * and nobody waits for it any more. Code that computes without awaiting is not interrupted.
   *
   * Shorter than `stallTimeout`, which ends the worker where there is none.
   *
   * @default none
   */
  readonly timeout?: Duration
  /**
   * Events of each partition at a time, 1 to 1,024. What they do takes hold in the order of the
   * log, and a commit goes up to the lowest unfinished one. With more than 1 a handler may use the
   * rows of its event's own key alone, and no `reads`.
   *
   * @default 1
   */
  readonly concurrency?: number
  /**
   * Which events keep their order when there are several at a time. `key`: those of one key, one
   * after the other; those without a key in any order. `none`: none, and no `tables`.
   *
   * @default 'key'
   */
  readonly order?: 'key' | 'none'
}

/** When and where a timer runs. */
export interface TimerOptions {
  /** From one run to the next, at least 1 ms; a run that takes longer delays the next. */
  readonly every: Duration
  /** Runs only on the owner of the leader task, at least once. @default false */
  readonly onLeader?: boolean
  /** First run at once instead of after `every`. @default false */
  readonly immediate?: boolean
}

/** Where a task runs. */
export interface TaskOptions {
  /** Runs only on the owner of the leader task, anew where that moves. @default false */
  readonly onLeader?: boolean
}

type AgentFunction<S, T, RD, O, R> = (
  events: Events<KeyOf<S>, ValueOf<S>>,
  parts: Handed<T, RD, O>,
  task: Task
) => AsyncGenerator<R, void, void> | Promise<void>

type EachFunction<S, T, RD, O, R> = (
  event: Event<KeyOf<S>, ValueOf<S>>,
  parts: Handed<T, RD, O>,
  task: Task
) => R | Promise<R>

/** An application: what it declares, and the ways to run it. Made by `createApp`. */
export class App {
  /** As given to `createApp`. */
  readonly id: string
  /**
   * The worker's web pages: a Hono app that also mounts anywhere else.
   *
   * @see https://hono.dev
   */
  readonly web: Hono = createPages()
  readonly #declaration: AppDeclaration
  readonly #slot = new EngineSlot()
  readonly #hooks: NodeHook[] = []
  readonly #runner: AppRunner

  constructor(options: AppOptions) {
    this.id = options.id
    this.#declaration = new AppDeclaration({
      id: options.id,
      codec: options.codec,
      deadLetter: options.deadLetter,
      onError: options.onError
    })
    this.#runner = new AppRunner({
      options,
      declaration: this.#declaration,
      slot: this.#slot,
      pages: this.web,
      hooks: this.#hooks
    })
  }

  /**
   * Declares a topic; it is made when the app starts, unless it exists.
   *
   * @throws TAILRACE_CONFIG_INVALID for a name or an option that cannot be,
   *   TAILRACE_CONFIG_STARTED after a start; so does every declaration
   */
  topic<KS extends Schema | undefined = undefined, VS extends Schema | undefined = undefined>(
    name: string,
    options: With<TopicOptions, { readonly key?: KS; readonly value?: VS }> = {}
  ): TopicOf<KS, VS> {
    return topicHandle(this.#declaration.topic(name, options), this.#slot) as TopicOf<KS, VS>
  }

  /**
   * Declares the own topic of an agent, `{app}-{agent}`: `source: app.inbox({ value })`. Keys are
   * text or null, and null ones spread.
   */
  inbox<VS extends Schema | undefined = undefined>(
    options: With<Omit<TopicOptions, 'key'>, { readonly value?: VS }> = {}
  ): TopicOf<undefined, VS> {
    const inbox = this.#declaration.inbox(options)
    return topicHandle(inbox, this.#slot) as TopicOf<undefined, VS>
  }

  /**
   * Declares a table, kept in the topic `{app}-{name}-changelog`. With `initial`, `get` answers it
   * for keys that are not there.
   */
  table<KS extends Schema, VS extends Schema, W extends Window | undefined = undefined>(
    name: string,
    options: With<
      TableOptions,
      {
        readonly key: KS
        readonly value: VS
        readonly initial: () => OutputOf<VS>
        readonly window?: W
      }
    >
  ): Table<OutputOf<KS>, OutputOf<VS>, OutputOf<VS>, W>
  table<KS extends Schema, VS extends Schema, W extends Window | undefined = undefined>(
    name: string,
    options: With<
      TableOptions,
      { readonly key: KS; readonly value: VS; readonly initial?: undefined; readonly window?: W }
    >
  ): Table<OutputOf<KS>, OutputOf<VS>, OutputOf<VS> | undefined, W>
  table(name: string, options: TableOptions): TableShape {
    return tableHandle(this.#declaration.table(name, options), this.#slot)
  }

  /** A stream of a topic's events, to be described further before an agent reads it. */
  stream<K, V>(topic: TopicShape & Pick<Topic<K, V>, '~types'>): Stream<K, V> {
    return streamHandle(declarationOf(topic), this.#declaration)
  }

  /**
   * Declares an agent: one loop for each partition of its source. The function is called anew at
   * each start, move and retry; what must outlive an event belongs into tables.
   */
  agent<
    S extends AgentSource,
    R = never,
    T extends TableParts = NoParts,
    RD extends TableParts = NoParts,
    O extends OutputParts = NoParts
  >(
    name: string,
    uses: Uses<S, T, RD, O, KeyOf<S>, ValueOf<S>>,
    run: AgentFunction<S, T, RD, O, R>
  ): Agent<KeyInputOf<S>, ValueInputOf<S>, R, KeyOf<S>> {
    checkOptions(`agent "${name}"`, uses, agentShapes)
    return this.#agent(name, uses, { kind: 'loop', run: run as never })
  }

  /**
   * Declares an agent by a function for each event: the fastest form. What it returns, unless that
   * is undefined, goes to the sinks.
   */
  each<
    R,
    S extends AgentSource,
    T extends TableParts = NoParts,
    RD extends TableParts = NoParts,
    O extends OutputParts = NoParts
  >(
    name: string,
    uses: Uses<S, T, RD, O, KeyOf<S>, ValueOf<S>> & EachOptions,
    handle: EachFunction<S, T, RD, O, R>
  ): Agent<KeyInputOf<S>, ValueInputOf<S>, [R] extends [void] ? never : R, KeyOf<S>> {
    checkOptions(`agent "${name}"`, uses, eachShapes)
    const { concurrency = 1, order = 'key', timeout } = uses
    const timeoutMs =
      timeout === undefined ? undefined : durationMs(timeout, `"timeout" of ${name}`)
    if (timeoutMs !== undefined && timeoutMs < 1) {
      refuse(`"timeout" of agent "${name}" must be at least 1 ms`)
    }
    return this.#agent(name, uses, {
      kind: 'each',
      run: handle as never,
      timeoutMs,
      concurrency,
      order
    })
  }

  #agent<KI, VI, R, K>(
    name: string,
    uses: Uses<AgentSource, TableParts, TableParts, OutputParts, never, never>,
    body: AgentBody
  ): Agent<KI, VI, R, K> {
    checkFunction(`agent "${name}"`, body.run)
    const { agent, addSink } = this.#declaration.agent(
      name,
      {
        source: declarationOf(uses.source),
        tables: mapParts(uses.tables, (table) => table.declaration),
        reads: mapParts(uses.reads, (table) => table.declaration),
        outputs: mapParts(uses.outputs, (output) => outputTopic(output)),
        onError: uses.onError as never,
        help: uses.help
      },
      body
    )
    return agentHandle(agent, this.#slot, addSink, refuse)
  }

  /**
   * Declares work at an interval. A run that takes longer delays the next one; one that throws is
   * logged, and the next one comes in time. At a stop its signal aborts, and it has two seconds.
   */
  timer(
    name: string,
    options: TimerOptions,
    run: (context: { readonly signal: AbortSignal }) => unknown
  ): void {
    checkOptions(`timer "${name}"`, options, timerShapes)
    checkFunction(`timer "${name}"`, run)
    const everyMs = durationMs(options.every, `"every" of timer "${name}"`)
    if (everyMs < 1) refuse(`"every" of timer "${name}" must be at least 1 ms`)
    this.#declaration.timer({
      name,
      everyMs,
      onLeader: options.onLeader ?? false,
      immediate: options.immediate ?? false,
      run
    })
  }

  /**
   * Declares work that runs once when the worker is ready, until its signal aborts. One that throws
   * ends the worker.
   */
  task(
    name: string,
    options: TaskOptions,
    run: (context: { readonly signal: AbortSignal }) => unknown
  ): void {
    checkOptions(`task "${name}"`, options, taskShapes)
    checkFunction(`task "${name}"`, run)
    this.#declaration.task({ name, onLeader: options.onLeader ?? false, run })
  }

  /**
   * Declares what is done in every process before its worker starts, in the order of declaration:
   * the place to open connections, which no two nodes of a swarm can share. One that throws ends
   * the start.
   */
  on(event: 'node.start', run: NodeHook): void {
    if (event !== 'node.start') {
      refuse(`app.on knows 'node.start', and not ${JSON.stringify(event)}`)
    }
    checkFunction(`"node.start"`, run)
    this.#hooks.push(run)
  }

  /** True while this process owns the leader task. */
  get isLeader(): boolean {
    return this.#slot.attached?.isLeader ?? false
  }

  /**
   * Group generation at which the leader task came here; undefined elsewhere. It grows with every
   * leader, so what a late one does outside can be refused by it.
   */
  get leaderEpoch(): number | undefined {
    return this.#slot.attached?.leaderEpoch
  }

  /**
   * Starts a worker inside this program; resolves when it is running: assigned, tables restored.
   *
   * @throws TAILRACE_CONFIG_INVALID, TAILRACE_TOPOLOGY_INVALID, each with every problem;
   *   TAILRACE_CONFIG_STARTED while another worker of the app runs in this program;
   *   TAILRACE_STATE_*, TAILRACE_TRANSPORT_*, TAILRACE_WEB_*
   */
  start(options: StartOptions = {}): Promise<Worker> {
    return this.#runner.start(options)
  }

  /**
   * Runs a worker as the whole program: signals, web and exit codes (0 stopped, 1 crashed,
   * 2 stopped by force, 64 used wrongly). Never resolves.
   */
  main(): Promise<never> {
    return this.#runner.main()
  }

  /** For the command line and for tests: what was declared, and how it would run. */
  get runner(): AppRunner {
    return this.#runner
  }
}

/**
 * Makes an app. Options not given here come from the environment (`TAILRACE_COMMIT_INTERVAL`) or
 * their defaults.
 *
 * @throws TAILRACE_CONFIG_INVALID with every problem: path, value, what was expected
 * @example
 * const app = createApp({ id: 'page-views', deadLetter: 'page-views-dead' })
 */
export function createApp(options: AppOptions): App {
  checkAppOptions(options, process.env)
  return new App(options)
}

function mapParts<P, D>(
  parts: Readonly<Record<string, P>> | undefined,
  declarationOfPart: (part: P) => D
): Readonly<Record<string, D>> {
  return Object.fromEntries(
    Object.entries(parts ?? {}).map(([name, part]) => [name, declarationOfPart(part)])
  )
}

function outputTopic(output: TopicShape | AgentShape): TopicDeclaration {
  if (output.kind === 'topic') return output.declaration
  const topic = inputTopicOf(output.declaration)
  return topic ?? refuse(`agent "${output.name}" reads a derived stream and cannot be an output`)
}

function refuse(message: string): never {
  throw new TailraceError('TAILRACE_CONFIG_INVALID', message)
}
