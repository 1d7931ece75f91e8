// Runs what an app declares: as a worker inside a program, as a program, or as a sender only.
import type { Hono } from 'hono'
import type { AppDeclaration } from '../core/declare.ts'
import type { Engine, EngineSlot, Metadata, UnsentRecord } from '../core/engine.ts'
import type { Declarations, TopicDeclaration } from '../core/declarations.ts'
import { TailraceError } from '../core/errors.ts'
import { refuseAll } from '../core/problems.ts'
import { buildTopology, type Topology } from '../core/topology.ts'
import { topologyProblems } from '../core/topology-check.ts'
import type { Transport } from '../port/transport.ts'
import { realClock } from '../runtime/real-clock.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import { mayHaveOf, selectionOf } from './choose-tasks.ts'
import { describeSwarm } from './describe.ts'
import { armFailpoints } from './failpoints.ts'
import { LazySender, type OpenedLog } from './lazy-sender.ts'
import { createLog, type LogLevel } from './log.ts'
import type { AppOptions, ResolvedOptions, RunOptions } from './options.ts'
import { type ProcessOptions, runProcess } from './process.ts'
import { resolveOptions } from './resolve-options.ts'
import { runnerProtocol } from './runner-protocol.ts'
import { stopAtSignals } from './signals.ts'
import { leaveGroup, type Leaving } from './static-member.ts'
import type { NodeHook } from './node-hooks.ts'
import type { SwarmDescription } from './swarm-description.ts'
import { planTopics, type TopicsPlan } from '../runtime/topic-plan.ts'
import { Transports } from './transports.ts'
import { HostedWorker, type Worker } from './worker.ts'

export type { Worker } from './worker.ts'

/** What `app.start` takes: options of the run, stronger than those of `createApp`. */
export interface StartOptions extends RunOptions {
  /** Stop at SIGTERM and SIGINT. @default false: signals are the program's own business */
  readonly signals?: boolean
}

export interface RunnerParts {
  readonly options: AppOptions
  readonly declaration: AppDeclaration
  readonly slot: EngineSlot
  readonly pages: Hono
  /** Run in each process before its worker starts. */
  readonly hooks: readonly NodeHook[]
}

/** What the command line gives: text by option path. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>

export class AppRunner {
  readonly protocol: number = runnerProtocol
  readonly #parts: RunnerParts
  readonly #transports: Transports
  readonly #sender: LazySender
  #isStarted = false
  #flags: Flags = {}
  #node: NodePlace | undefined

  constructor(parts: RunnerParts) {
    this.#parts = parts
    this.#transports = new Transports({ app: parts.options.id, clock: realClock })
    this.#sender = new LazySender({ clock: realClock, open: () => this.#openForSending() })
    parts.slot.attach(this.#sender)
  }

  get id(): string {
    return this.#parts.options.id
  }

  /** What the app declares so far. */
  declarations(): Declarations {
    const declared = this.#parts.declaration.declarations()
    return { ...declared, deadLetter: this.options().deadLetter }
  }

  /**
   * The topology, checked.
   *
   * @throws TAILRACE_TOPOLOGY_INVALID with every problem
   */
  topology(): Topology {
    const topology = buildTopology(this.declarations())
    refuseAll('TAILRACE_TOPOLOGY_INVALID', `app "${this.id}"`, topologyProblems(topology))
    return topology
  }

  /** Options out of every source, for the flags and the start given. */
  options(start: StartOptions = {}): ResolvedOptions {
    return this.#resolve(start, this.#node !== undefined)
  }

  #resolve(start: StartOptions, isNode: boolean): ResolvedOptions {
    return resolveOptions({
      app: this.#parts.options,
      start,
      flags: this.#flags,
      environment: process.env,
      isNode
    })
  }

  /** Flags of the command line, stronger than every other source. */
  useFlags(flags: Flags): void {
    this.#flags = flags
  }

  /** Set in a node of a swarm. */
  get node(): NodePlace | undefined {
    return this.#node
  }

  /** This process is a node: what it starts takes the places of that node. */
  useNode(place: NodePlace): void {
    this.#node = place
  }

  /** What a supervisor must know of the app, everything checked; starts nothing. */
  describe(): Promise<SwarmDescription> {
    // As a node will have them, so that what contradicts there is told here.
    const options = this.#resolve({}, true)
    const open = (): Promise<Transport> => this.#transports.open(options)
    return describeSwarm({ topology: this.topology(), options, open })
  }

  /** Starts a worker inside this program; resolves when it runs. */
  async start(start: StartOptions = {}): Promise<Worker> {
    const worker = await this.prepare({ start, isJson: !process.stderr.isTTY, level: 'warn' })
    await worker.start()
    if (start.signals === true) stopAtSignals(worker)
    return worker
  }

  /** Runs a worker as the whole program; ends the process. */
  main(): Promise<never> {
    return this.work({ isJson: false })
  }

  /** As `main`, for the command line. */
  work(options: ProcessOptions): Promise<never> {
    return runProcess(this, options)
  }

  /** A worker that is put together and not yet started; the app is sealed from here on. */
  async prepare(parts: {
    readonly start?: StartOptions
    readonly isJson: boolean
    readonly level: LogLevel
  }): Promise<HostedWorker> {
    if (this.#isStarted) {
      throw new TailraceError(
        'TAILRACE_CONFIG_STARTED',
        `app "${this.id}" was started while a worker of it runs in this program`
      )
    }
    const options = this.options(parts.start)
    const topology = this.topology()
    const node = this.#node
    const selected = selectionOf(topology, options)
    armFailpoints(process.env)
    this.#isStarted = true
    const level = options.logLevel ?? parts.level
    const log = await createLog({ level, app: this.id, isJson: parts.isJson, node })
    await this.#runHooks().catch((error: unknown) => {
      this.#isStarted = false
      throw error
    })
    const worker = new HostedWorker({
      topology,
      options,
      transports: this.#transports,
      clock: realClock,
      log,
      pages: this.#parts.pages,
      node,
      mayHave: mayHaveOf({ topology, selected, options, node }),
      attach: (runtime) => this.#parts.slot.attach(runtime ?? this.#sender)
    })
    this.#parts.declaration.seal()
    void worker.ended.then(() => {
      this.#isStarted = false
    })
    return worker
  }

  async #runHooks(): Promise<void> {
    const { count = 1, id = 0, supervisorPid } = this.#node ?? {}
    for (const hook of this.#parts.hooks) await hook({ id, count, supervisorPid })
  }

  /** Takes a static member out of the group, its worker having stopped; for the command line. */
  leave(): Promise<Leaving> {
    const options = this.options()
    const open = (): Promise<Transport> => this.#transports.open(options)
    return leaveGroup({ app: this.id, options, open })
  }

  /** Which topics the app would make, and which are not as it would make them; makes none. */
  async topicsPlan(): Promise<TopicsPlan> {
    const topology = this.topology()
    const options = this.options()
    const transport = await this.#transports.open(options)
    try {
      return await planTopics(topology, transport, options.settings)
    } finally {
      await transport.close()
    }
  }

  /** Sends one record without a worker; for the command line. */
  send(topic: TopicDeclaration, record: UnsentRecord): Promise<Metadata> {
    return this.#sender.send(topic, record)
  }

  /** Lets the app's handles talk to this engine instead; for the test kit. */
  attach(engine: Engine | undefined): void {
    this.#parts.slot.attach(engine ?? this.#sender)
  }

  /** Lets go of the log that sends opened. */
  close(): Promise<void> {
    return this.#sender.close()
  }

  async #openForSending(): Promise<OpenedLog> {
    const options = this.options()
    const transport = await this.#transports.open(options)
    return { transport, recordBytesMax: options.settings.recordBytesMax }
  }
}
