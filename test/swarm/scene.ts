// A scene of a swarm: a log, jobs that are sent to it, and supervisors with what they print.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../house/source.ts'
import { isGone, tryKill } from '../process/gone.ts'
import { isCommitted } from '../process/log-reader.ts'
import { type LogName, openLog, type SceneLog } from '../process/logs.ts'
import { WorkerProcess } from '../process/worker-process.ts'
import { type Job, jobsApp, type JobsApp, partitions } from './jobs.ts'

export interface SwarmStart {
  readonly nodes?: number | string
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Beside this file. */
  readonly module?: string
  /** In a process group of its own. */
  readonly isGroup?: boolean
}

/** Times that a test can wait for; what it is about it says itself. */
const quick: Readonly<Record<string, string>> = {
  TAILRACE_SWARM_HOOKS: join(import.meta.dirname, 'print-events.ts'),
  TAILRACE_SWARM_RESTART_DELAY: '100ms',
  TAILRACE_SWARM_RESTART_DELAY_MAX: '2s',
  TAILRACE_SWARM_HEALTH_INTERVAL: '200ms',
  TAILRACE_COMMIT_INTERVAL: '10ms'
}

type Fields = Readonly<Record<string, unknown>>

/** A supervisor and its nodes, by the lines that they print. */
export class Swarm {
  readonly process: WorkerProcess

  constructor(process: WorkerProcess) {
    this.process = process
  }

  get text(): string {
    return this.process.text
  }

  /** What was printed as `~name {…}` so far. */
  events(name: string): Fields[] {
    const lines = this.text.split('\n').slice(0, -1)
    return lines.flatMap((line) =>
      line.startsWith(`~${name} `) ? [JSON.parse(line.slice(name.length + 2)) as Fields] : []
    )
  }

  /** Resolves with the nth event of the name that has these fields. */
  async event(name: string, fields: Fields = {}, nth: number = 1): Promise<Fields> {
    const found = (): Fields | undefined =>
      this.events(name).filter((one) => isLike(one, fields))[nth - 1]
    const what = `~${name} ${JSON.stringify(fields)}, number ${nth}`
    await this.process.until(() => found() !== undefined || this.process.hasEnded, what)
    return found() ?? assert.fail(`it ended without ${what}:\n${this.text}`)
  }

  /** Resolves when each node was ready once. */
  async ready(nodes: number): Promise<this> {
    for (let node = 0; node < nodes; node++) await this.event('node.ready', { node })
    return this
  }

  /** Pids of all processes of nodes that there ever were. */
  get pids(): number[] {
    return this.events('node.started').map(({ pid }) => Number(pid))
  }

  /** Of the latest process of a node. */
  pidOf(node: number): number {
    const own = this.events('node.started').filter((one) => one['node'] === node)
    return Number(own.at(-1)?.['pid'])
  }

  /** Nothing of it is left. */
  async leavesNothing(): Promise<void> {
    for (const pid of this.pids) assert.ok(await isGone(pid), `node ${pid} is still there`)
  }

  async stop(): Promise<void> {
    await this.process.stop()
    await this.leavesNothing()
  }
}

function isLike(one: Fields, wanted: Fields): boolean {
  return Object.entries(wanted).every(([name, value]) => one[name] === value)
}

export class SwarmScene {
  readonly directory: string
  readonly log: SceneLog
  readonly #swarms: Swarm[] = []
  readonly #own: JobsApp
  #sent = 0

  constructor(directory: string, log: SceneLog) {
    this.directory = directory
    this.log = log
    this.#own = jobsApp({ broker: log.ownBroker, suffix: log.suffix, logLevel: 'silent' })
  }

  swarm(start: SwarmStart = {}): Swarm {
    const { args = [], env = {}, isGroup = false, module = 'jobs.ts', nodes = 2 } = start
    const app = join(import.meta.dirname, `${module}${module === 'jobs.ts' ? ':app' : ''}`)
    const process = new WorkerProcess({
      module: join(root, 'bin', 'tailrace.js'),
      cwd: this.directory,
      isGroup,
      env: {
        TAILRACE_BROKER: this.log.broker,
        TAILRACE_DATADIR: join(this.directory, 'data'),
        ...this.log.environment,
        ...quick,
        ...env
      },
      args: ['-A', app, 'swarm', `--nodes=${nodes}`, ...args]
    })
    const swarm = new Swarm(process)
    this.#swarms.push(swarm)
    return swarm
  }

  /** Sends jobs to each partition in turn unless they say where; resolves when they are kept. */
  async send(...given: readonly (Partial<Job> & { readonly partition?: number })[]): Promise<void> {
    for (const { partition, ...job } of given) {
      const id = job.id ?? this.#sent
      const to = partition ?? this.#sent % partitions
      this.#sent++
      await this.#own.jobs.send({ key: `key-${to}`, value: { ...job, id }, partition: to })
    }
  }

  /** How many jobs were counted; those that are left are done by a worker of the test itself. */
  async counted(): Promise<number> {
    const { app, counts, jobs } = jobsApp({
      broker: this.log.ownBroker,
      datadir: join(this.directory, 'own'),
      logLevel: 'silent',
      suffix: this.log.suffix,
      ...this.log.options
    })
    const worker = await app.start()
    try {
      while (!(await isCommitted(this.log.transport, { group: app.id, topic: jobs.name }))) {
        await sleep(20)
      }
      const rows = await Array.fromAsync(counts.scan({ limit: 1_000 }))
      return rows.reduce((sum, [, count]) => sum + count, 0)
    } finally {
      await worker.stop()
      await app.runner.close()
    }
  }

  async close(): Promise<void> {
    for (const { pids, process } of this.#swarms) {
      await process.putDown()
      // By number, long after: only what is surely still ours, since nothing here runs for long.
      for (const pid of pids) tryKill(pid, 'SIGKILL')
    }
    await this.#own.app.runner.close()
    await this.log.close()
  }
}

/** A test with a log and swarms of its own. */
export function swarmScene(
  name: string,
  run: (scene: SwarmScene, t: TestContext) => Promise<void>,
  logs: readonly LogName[] = ['embedded']
): void {
  for (const log of logs) {
    test(`${name} (${log})`, { timeout: 180_000 }, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), 'tailrace-swarm-'))
      const scene = new SwarmScene(directory, await openLog(log, directory))
      t.after(async () => {
        await scene.close()
        await rm(directory, { recursive: true, force: true, maxRetries: 5 })
      })
      await run(scene, t)
    })
  }
}
