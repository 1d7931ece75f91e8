// What a worker is put together from, in the order in which it starts; it stops in reverse.
import { randomUUID } from 'node:crypto'
import type { Hono } from 'hono'
import { TailraceError } from '../core/errors.ts'
import { refuseAll } from '../core/problems.ts'
import type { TaskSpec } from '../core/task-spec.ts'
import type { Topology } from '../core/topology.ts'
import type { Clock } from '../port/clock.ts'
import type { Store } from '../port/store.ts'
import type { Transport } from '../port/transport.ts'
import type { Log } from '../runtime/log.ts'
import type { HealthReporting, NodePlace } from '../runtime/node-place.ts'
import { WorkerRuntime } from '../runtime/worker.ts'
import { startWeb, type WebServer } from '../web/server.ts'
import type { DataDirectory } from './data-directory.ts'
import { healthFd } from './node-place.ts'
import type { ResolvedOptions } from './options.ts'
import { heartbeatProblems } from './resolve-options.ts'
import { staticIdOf } from './static-member.ts'
import { openStore } from './stores.ts'
import type { Transports } from './transports.ts'
import { claimWorkerDirectory } from './worker-directory.ts'

export interface WorkerContext {
  readonly topology: Topology
  readonly options: ResolvedOptions
  readonly transports: Transports
  readonly clock: Clock
  readonly log: Log
  readonly pages: Hono
  /** Of a swarm. */
  readonly node: NodePlace | undefined
  /** Tasks that this worker may be given. */
  readonly mayHave: (task: TaskSpec) => boolean
  /** Told when the runtime is there and when it is gone again. */
  readonly attach: (runtime: WorkerRuntime | undefined) => void
}

/** How a worker stops: `isCold` drops what is open. */
export interface StopOptions {
  readonly reason: string
  readonly isCold?: boolean
}

export interface Part {
  readonly name: string
  start(): Promise<void>
  stop(options: StopOptions): Promise<void>
}

/** The parts as they come into being. */
export class Assembly {
  readonly #context: WorkerContext
  #directory: DataDirectory | undefined
  #transport: Transport | undefined
  #store: Store | undefined
  #web: WebServer | undefined
  #runtime: WorkerRuntime | undefined

  constructor(context: WorkerContext) {
    this.#context = context
  }

  get runtime(): WorkerRuntime | undefined {
    return this.#runtime
  }

  get transport(): Transport | undefined {
    return this.#transport
  }

  get store(): Store | undefined {
    return this.#store
  }

  get directory(): string | undefined {
    return this.#directory?.path
  }

  get url(): string | undefined {
    return this.#web?.url
  }

  /** The order of starting. */
  parts(): readonly Part[] {
    return [
      {
        name: 'transport',
        start: () => this.#openTransport(),
        stop: async () => this.#transport?.close()
      },
      {
        name: 'data directory',
        start: () => this.#claimDirectory(),
        stop: async () => this.#directory?.release()
      },
      {
        name: 'store',
        start: () => this.#openStore(),
        stop: async () => this.#store?.close()
      },
      {
        // Before the worker, which tells its address to the group.
        name: 'web pages',
        start: () => this.#startWeb(),
        stop: async () => this.#web?.close()
      },
      {
        name: 'worker',
        start: () => this.#startRuntime(),
        stop: (options) => this.#stopRuntime(options)
      }
    ]
  }

  async #claimDirectory(): Promise<void> {
    const { node, options, topology } = this.#context
    this.#directory = await claimWorkerDirectory(topology.app, options, node)
  }

  async #openTransport(): Promise<void> {
    const { log, options, transports } = this.#context
    this.#transport = await transports.open(options, log)
    const problems = heartbeatProblems(this.#transport.features)
    if (problems.length > 0) await this.#transport.close()
    refuseAll('TAILRACE_CONFIG_INVALID', 'the transport', problems)
  }

  async #openStore(): Promise<void> {
    const { log, options, topology } = this.#context
    const directory = this.#directory?.path ?? ''
    this.#store = await openStore({ store: options.store, directory, app: topology.app, log })
  }

  async #startWeb(): Promise<void> {
    const { log, node, options, pages } = this.#context
    if (options.web === undefined) return
    const { host } = options.web
    // Whoever takes any port takes any for each.
    const port = options.web.port === 0 ? 0 : options.web.port + (node?.id ?? 0)
    const status = (): ReturnType<WorkerRuntime['status']> | undefined => this.#runtime?.status()
    this.#web = await startWeb({ host, port, pages, status, log: log.child({ part: 'web' }) })
  }

  async #startRuntime(): Promise<void> {
    const { attach, clock, log, mayHave, node, options, topology } = this.#context
    if (this.#transport === undefined || this.#store === undefined) throw outOfOrder()
    const runtime = new WorkerRuntime({
      topology,
      transport: this.#transport,
      store: this.#store,
      clock,
      random: Math.random,
      settings: options.settings,
      log,
      instanceId: this.#directory?.instanceId ?? randomUUID(),
      staticId: staticIdOf(options, this.#directory?.path, node),
      mayHave,
      node,
      health: node && healthOf(node, options),
      url: this.#web?.url,
      keeper: this.#transport.door === undefined ? 'inline' : 'thread'
    })
    this.#runtime = runtime
    // Timers may send as soon as it runs, so the handles must find it before.
    attach(runtime)
    try {
      await runtime.start()
    } catch (error) {
      attach(undefined)
      throw error
    }
  }

  async #stopRuntime(options: StopOptions): Promise<void> {
    try {
      await this.#runtime?.stop(options)
    } finally {
      this.#context.attach(undefined)
    }
  }
}

function healthOf({ supervisorPid }: NodePlace, { swarm }: ResolvedOptions): HealthReporting {
  const { healthIntervalMs: intervalMs, limits } = swarm
  return { fd: healthFd, intervalMs, supervisorPid, limits }
}

function outOfOrder(): TailraceError {
  return new TailraceError('TAILRACE_BUG_INVARIANT', 'the worker was started before its parts')
}
