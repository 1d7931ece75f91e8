// Asks the broker through one Java process that stays up: see bench/peers/java/Desk.java.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { cpuMs } from './process-tree.ts'

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** What a check of a result came to. */
export interface Checked {
  readonly records: number
  readonly problems: readonly string[]
}

/** How an input was made, so that a check can make it again. */
export interface Input {
  readonly topic: string
  readonly events: number
  /** When the first view was. */
  readonly base: number
  /** As many pages as views. */
  readonly isDistinct: boolean
}

export class Desk {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #ids = 0

  constructor(command: readonly string[], broker: string) {
    const [file = '', ...args] = command
    this.#child = spawn(file, args, {
      env: { ...process.env, BROKER: broker },
      stdio: ['pipe', 'pipe', 'inherit']
    })
    this.#child.stdin.on('error', () => undefined)
    createInterface(this.#child.stdout).on('line', (line) => this.#hear(JSON.parse(line)))
    this.#child.once('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the desk has ended'))
    })
  }

  async create(topics: readonly string[]): Promise<void> {
    await this.#ask({ do: 'create', topics })
  }

  /** Topics whose names begin so, and the group. */
  async delete(prefix: string, groups: readonly string[] = []): Promise<void> {
    await this.#ask({ do: 'delete', prefix, groups })
  }

  async topics(prefix: string): Promise<readonly string[]> {
    return (await this.#ask({ do: 'topics', prefix })) as readonly string[]
  }

  members(group: string): Promise<number> {
    return this.#number({ do: 'members', group })
  }

  /** Records of the topic below what the group has committed. */
  committed(group: string, topic: string): Promise<number> {
    return this.#number({ do: 'committed', group, topic })
  }

  /** Sum of the ends of all partitions. */
  ends(topic: string): Promise<number> {
    return this.#number({ do: 'ends', topic })
  }

  async writeViews(input: Input): Promise<void> {
    await this.#ask({ do: 'views', ...input })
  }

  /** One view more into each partition, at the beginning of the input's time. */
  async writeOneEach({ base, topic }: Input): Promise<void> {
    await this.#ask({ do: 'one-each', topic, base })
  }

  async writeRaw(topic: string, events: number, bytes: number): Promise<void> {
    await this.#ask({ do: 'raw', topic, events, bytes })
  }

  async checkVisits(topic: string, { base, events }: Input): Promise<Checked> {
    return (await this.#ask({ do: 'check-visits', topic, events, base })) as Checked
  }

  /** `extra`: how often one view more was written into each partition. */
  async checkCounts(topic: string, input: Input, extra = 0): Promise<Checked> {
    return (await this.#ask({ do: 'check-counts', ...input, topic, extra })) as Checked
  }

  cpuMs(): number {
    return this.#child.pid === undefined ? 0 : cpuMs(this.#child.pid)
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.stdin.end()
    await once(this.#child, 'close')
  }

  async #number(question: object): Promise<number> {
    return Number(await this.#ask(question))
  }

  #ask(question: object): Promise<unknown> {
    const id = ++this.#ids
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#child.stdin.write(`${JSON.stringify({ id, ...question })}\n`)
    return waiting.promise
  }

  #hear({ error, id, result }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(`the broker was asked in vain: ${error}`))
  }
}
