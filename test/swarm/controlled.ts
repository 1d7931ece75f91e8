// A swarm as those see it who ask at its control port: by HTTP, and by commands.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlStatus } from '../../src/swarm/control-page.ts'
import type { NodeStatus } from '../../src/swarm/swarm-status.ts'
import { root } from '../house/source.ts'
import type { Scene } from '../process/run.ts'
import type { WorkerProcess } from '../process/worker-process.ts'

export const tailrace: string = join(root, 'bin', 'tailrace.js')
const app = join(import.meta.dirname, 'breakable-visits.ts')

/** Hit only by a test that fails. */
const patienceMs = 60_000

export interface ControlledStart {
  readonly nodes?: number
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly text: string
}

/** Starts a supervisor; its output is all that is known of it. */
export function startSwarm(one: Scene, start: ControlledStart = {}): WorkerProcess {
  const { args = [], env = {}, nodes = 2 } = start
  return one.worker({
    module: tailrace,
    args: ['-A', app, 'swarm', `--nodes=${nodes}`, ...args],
    env: {
      TAILRACE_SWARM_HEALTH_INTERVAL: '200ms',
      TAILRACE_SWARM_RESTART_DELAY: '100ms',
      TAILRACE_SWARM_MAX_RESTARTS: '1000',
      ...env
    }
  })
}

export class ControlledSwarm {
  readonly process: WorkerProcess
  readonly port: number
  readonly #scene: Scene

  private constructor(scene: Scene, process: WorkerProcess, port: number) {
    this.#scene = scene
    this.process = process
    this.port = port
  }

  /** Resolves when it answers, which is before its nodes are ready. */
  static async start(scene: Scene, start: ControlledStart = {}): Promise<ControlledSwarm> {
    const process = startSwarm(scene, start)
    const [, port] = await process.line(/^control +http:\/\/127\.0\.0\.1:(\d+)$/m)
    return new ControlledSwarm(scene, process, Number(port))
  }

  /** The same, when its nodes are ready as well. */
  static async ready(scene: Scene, start: ControlledStart = {}): Promise<ControlledSwarm> {
    const swarm = await ControlledSwarm.start(scene, start)
    await swarm.until(({ nodes }) => nodes.every(({ isReady }) => isReady))
    return swarm
  }

  get text(): string {
    return this.process.text
  }

  ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Answer> {
    return askAt(this.port, { method, path, headers })
  }

  async status(): Promise<ControlStatus> {
    const { status, text } = await this.ask('GET', '/status')
    assert.equal(status, 200, text)
    const now: ControlStatus = JSON.parse(text)
    for (const { pid } of now.nodes) if (pid !== undefined) this.#scene.owns(pid)
    return now
  }

  async node(id: number): Promise<NodeStatus> {
    const { nodes } = await this.status()
    return nodes[id] ?? assert.fail(`there is no node ${id}`)
  }

  /** Pids of its nodes, in their order. */
  async pids(): Promise<(number | undefined)[]> {
    const { nodes } = await this.status()
    return nodes.map(({ pid }) => pid)
  }

  /** Resolves with the first status of which it is so. */
  async until(isSo: (status: ControlStatus) => boolean): Promise<ControlStatus> {
    const late = performance.now() + patienceMs
    for (;;) {
      const now = await this.status()
      if (isSo(now)) return now
      assert.ok(performance.now() < late, `${JSON.stringify(now)}\n${this.text}`)
      await sleep(20)
    }
  }

  /** Runs `tailrace swarm …` where the swarm runs; resolves with its end. */
  command(...args: readonly string[]): Promise<CommandEnd> {
    return runCommand(this.#scene, args)
  }

  async stop(): Promise<void> {
    await this.process.stop()
  }
}

export interface CommandEnd {
  readonly code: number | null
  readonly text: string
}

/** A command beside the log and the data of the scene. */
export async function runCommand(scene: Scene, args: readonly string[]): Promise<CommandEnd> {
  const run = scene.worker({ module: tailrace, args: ['swarm', ...args] })
  const { code } = await run.ended
  return { code, text: run.text }
}

/** By node:http, since `fetch` chooses some headers itself. */
export function askAt(
  port: number,
  {
    headers,
    method,
    path
  }: {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
  }
): Promise<Answer> {
  const { promise, reject, resolve } = Promise.withResolvers<Answer>()
  const options = { host: '127.0.0.1', port, method, path, headers, agent: false }
  const call = request(options, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
  })
  call.once('error', reject)
  call.end()
  return promise
}
