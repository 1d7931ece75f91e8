// A swarm as the bench holds it: the supervisor's process, and its nodes by what it tells of them.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

interface Told {
  readonly name: 'node.started' | 'node.ready'
  readonly node: number
  readonly pid: number
}

export interface SwarmParts {
  readonly directory: string
  readonly nodes: number
  readonly turns: number
}

export class SwarmProcess {
  readonly #process: ChildProcess
  readonly #pids = new Map<number, number>()
  readonly #ready = new Set<number>()
  readonly #allReady = Promise.withResolvers<void>()
  readonly #ended: Promise<unknown>
  #text = ''
  #isStopping = false
  #failure: Error | undefined

  constructor({ directory, nodes, turns }: SwarmParts) {
    const app = `${join(import.meta.dirname, 'swarm-app.ts')}:app`
    const args = ['-A', app, '-l', 'warn', 'swarm', `--nodes=${nodes}`]
    this.#process = fork(join(root, 'bin', 'tailrace.js'), args, {
      cwd: directory,
      env: {
        ...process.env,
        BENCH_TURNS: String(turns),
        TAILRACE_BROKER: `embedded:${join(directory, 'log')}`,
        TAILRACE_DATADIR: join(directory, 'data'),
        // One is killed by the bench; what ends by itself is a mistake.
        TAILRACE_SWARM_MAX_RESTARTS: '1',
        TAILRACE_SWARM_HOOKS: join(import.meta.dirname, 'swarm-hooks.ts')
      },
      execArgv: [...process.execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#text += text))
    }
    this.#process.on('message', (told: Told) => {
      this.#pids.set(told.node, told.pid)
      if (told.name === 'node.ready') this.#ready.add(told.node)
      if (this.#ready.size === nodes) this.#allReady.resolve()
    })
    this.#ended = once(this.#process, 'exit').then(([code, signal]) => {
      if (this.#isStopping && code === 0) return
      this.#failure = new Error(`the swarm ended: ${signal ?? code}\n${this.#text}`)
      this.#allReady.reject(this.#failure)
    })
    this.#allReady.promise.catch(() => undefined)
  }

  /** Resolves when every node has restored what it was given. */
  async ready(): Promise<this> {
    await this.#allReady.promise
    return this
  }

  /** @throws when it is gone, so that nobody waits for what it will never do */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  get nodePids(): readonly number[] {
    return [...this.#pids.values()]
  }

  killNode(node: number): void {
    const pid = this.#pids.get(node)
    if (pid === undefined) throw new Error(`no node ${node}`)
    process.kill(pid, 'SIGKILL')
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#process.kill('SIGTERM')
    await this.#ended
    this.check()
  }
}
