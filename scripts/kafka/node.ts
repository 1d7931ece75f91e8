// One Kafka node as a JVM of its own: ready or failed by what it says, ended by its process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Kafka } from './jars.ts'
import { jdkProgram, missing } from './java.ts'

export interface NodeParts {
  readonly id: number
  readonly kafka: Kafka
  readonly directory: string
  readonly properties: string
  readonly formatOptions: readonly string[]
  readonly heapMb: number
  /** `quick` compiles little: soon ready. `steady` is Kafka's own way, for figures. */
  readonly jvm: 'quick' | 'steady'
  /** Deletes `directory` when whoever started the node is gone. */
  readonly isTemporary: boolean
}

/** Far more than the 3 to 4 s it takes; a slow machine under load is no failure. */
const readyMsMax = 120_000
/** A broker that was told to stop has this long to move its leaders and write its logs. */
const stopMsMax = 30_000

export class KafkaNode {
  readonly id: number
  readonly #parts: NodeParts
  #child: ChildProcess | undefined

  constructor(parts: NodeParts) {
    this.id = parts.id
    this.#parts = parts
    writeFileSync(this.#file('properties'), parts.properties)
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** What it logged, from its first start on. */
  get log(): string {
    return readFileSync(this.#file('log'), 'utf8')
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`Kafka node ${this.id} is running already`)
    const java = jdkProgram('java')
    const log = openSync(this.#file('log'), 'a')
    // The input stays open, and empty, as long as this process lives: BrokerMain ends with it.
    const child = spawn(java, this.#args(), { stdio: ['pipe', 'pipe', log] })
    closeSync(log)
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    const said = await answer(child, java)
    if (said === 'ready') {
      letGo(child)
      return
    }
    await this.kill()
    throw new Error(`Kafka node ${this.id} did not start: ${said}\n${this.log.slice(-2_000)}`)
  }

  /** In order: leaders are moved, logs written. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
    await this.#end('SIGTERM')
    clearTimeout(timer)
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** As a machine that hangs: connections stay, and nothing answers. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined) return
    child.ref()
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  #args(): string[] {
    const { directory, formatOptions, heapMb, isTemporary, jvm, kafka } = this.#parts
    const quick = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData']
    return [
      `-Xmx${heapMb}m`,
      ...(jvm === 'quick' ? quick : ['-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']),
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      ...['-cp', kafka.classpath, 'BrokerMain'],
      ...[this.#file('properties'), isTemporary ? directory : '-'],
      ...formatOptions
    ]
  }

  #file(ending: string): string {
    return join(this.#parts.directory, `node-${this.id}.${ending}`)
  }
}

/** `ready`, or why not. */
async function answer(child: ChildProcess, java: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const lines = createInterface(child.stdout ?? process.stdin)
  lines.on('line', (line) => {
    if (line === 'ready') resolve(line)
    else if (line.startsWith('failed: ')) resolve(line.slice('failed: '.length))
  })
  child.once('exit', (code, signal) => resolve(`it ended (${signal ?? `code ${code}`})`))
  child.once('error', (error) => reject(missing(java, error)))
  const timer = setTimeout(() => resolve(`not ready after ${readyMsMax} ms`), readyMsMax)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    lines.close()
    child.stdout?.resume()
  }
}

/** A program that forgets its broker ends all the same, and the broker with it. */
function letGo(child: ChildProcess): void {
  child.unref()
  for (const stream of [child.stdin, child.stdout]) {
    if (stream !== null && 'unref' in stream) (stream as { unref(): void }).unref()
  }
}
