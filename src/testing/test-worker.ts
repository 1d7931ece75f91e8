// Runs an app on a test log: one worker on memory alone, whose time is the test's.
import type { Topology } from '../core/topology.ts'
import type { App } from '../host/app.ts'
import { type Log, silentLog } from '../runtime/log.ts'
import { defaultSettings, type WorkerSettings } from '../runtime/settings.ts'
import { type WorkerStatus, WorkerRuntime } from '../runtime/worker.ts'
import type { Fault, FaultHook } from '../transport/memory/gate.ts'
import type { MemoryTransport } from '../transport/memory/index.ts'
import { ProcessClock } from './test-clock.ts'
import type { TestLog } from './test-log.ts'
import { type DiskDelay, TestDisk, type TestStore } from './test-store.ts'

/** What a test worker runs with. */
export interface TestWorkerOptions {
  /** The log that it reads and writes; workers on one log share their partitions. */
  readonly log: TestLog
  /** What an earlier worker left on disk. @default an empty one */
  readonly disk?: TestDisk
  /** Names the worker, as its data directory would. @default worker-1 */
  readonly instanceId?: string
  /** Limits and intervals, in ms and bytes. @default those of a real worker */
  readonly settings?: Partial<WorkerSettings>
  /** Delays or fails operations of the log. @default none */
  readonly faults?: FaultHook
  /** Delays operations of the disk. @default none */
  readonly diskDelay?: DiskDelay
  /** Numbers from 0 to below 1: jitter and the member id. @default always a half */
  readonly random?: () => number
  /** Where the worker writes its log lines. @default nowhere */
  readonly writeTo?: Log
  /** What it says its web address is, for answers of others. @default none */
  readonly url?: string
}

/**
 * Starts a worker, and lets time pass until it runs: assigned, with its tables restored.
 *
 * @throws TAILRACE_TOPOLOGY_INVALID with every problem
 */
export async function startTestWorker(app: App, options: TestWorkerOptions): Promise<TestWorker> {
  const worker = new TestWorker(app, options)
  await options.log.clock.settle(worker.start())
  return worker
}

/** A worker on a test log: it can crash, freeze and lose its clock, and its disk outlives it. */
export class TestWorker {
  /** The time of this worker's process. */
  readonly clock: ProcessClock
  readonly disk: TestDisk
  readonly runtime: WorkerRuntime
  readonly #app: App
  readonly #log: TestLog
  readonly #transport: MemoryTransport
  readonly #store: TestStore
  readonly #topology: Topology
  #ended: { readonly error: unknown } | undefined

  /** A worker that is not started: a simulation starts it while time goes on. */
  constructor(app: App, options: TestWorkerOptions) {
    const { faults, log, random = () => 0.5, settings } = options
    this.#app = app
    this.#log = log
    this.clock = new ProcessClock(log.clock)
    this.#transport = log.connect((operation) => this.#faultOf(operation, faults))
    this.disk = options.disk ?? new TestDisk()
    this.#store = this.disk.connect(options.diskDelay)
    this.#topology = app.runner.topology()
    this.runtime = new WorkerRuntime({
      topology: this.#topology,
      transport: this.#transport,
      store: this.#store,
      clock: this.clock,
      random,
      settings: { ...defaultSettings, ...settings },
      log: options.writeTo ?? silentLog,
      instanceId: options.instanceId ?? 'worker-1',
      url: options.url,
      keeper: 'inline'
    })
    void this.runtime.ended.then((error) => {
      this.#ended = { error }
    })
  }

  /** Joins and restores; resolves only while time passes (`log.clock.advance`). */
  async start(): Promise<void> {
    await this.#store.open({ app: this.#app.id })
    await this.#transport.open()
    this.#app.runner.attach(this.runtime)
    await this.runtime.start()
  }

  // Whatever a frozen process asks for arrives at the log when it goes on.
  #faultOf(operation: string, faults: FaultHook | undefined): Fault | undefined {
    const delayMs = this.clock.frozenMs
    return delayMs > 0 ? { delayMs } : faults?.(operation)
  }

  /** What a real worker answers at `/status`. */
  status(): WorkerStatus {
    return this.runtime.status()
  }

  /** Set when it has ended: its error, or undefined after a stop. */
  get ended(): { readonly error: unknown } | undefined {
    return this.#ended
  }

  /**
   * Lets time pass until everything in the app's source topics is read and committed, by this
   * worker or others. False when that did not come about within `limitMs` of its time.
   */
  async caughtUp(limitMs: number = 60_000): Promise<boolean> {
    const { clock } = this.#log
    const until = clock.monotonic() + limitMs
    const sources = this.#topology.subTopologies.flatMap((sub) => sub.sources)
    const names = sources.map(({ name }) => name)
    while (!this.#log.isCommitted(this.#app.id, names)) {
      if (clock.monotonic() >= until || this.#ended !== undefined) return false
      await clock.advance(10)
    }
    // The store is written after the log.
    await clock.advance(10)
    return true
  }

  /** Finishes, commits and leaves; `isCold` drops what is open. */
  async stop(options: { readonly isCold?: boolean } = {}): Promise<void> {
    await this.#log.clock.settle(this.runtime.stop({ reason: 'the test stops it', ...options }))
    this.#app.runner.attach(undefined)
  }

  /** As kill -9 would: nothing under way takes hold, and the group finds out by the session. */
  crash(): void {
    this.#transport.crash()
    this.#store.kill()
    this.clock.kill()
    this.#app.runner.attach(undefined)
  }

  /** As SIGSTOP and SIGCONT would: nothing runs, no heartbeat leaves, for this long. */
  freeze(forMs: number): void {
    this.clock.freeze(forMs)
  }
}
