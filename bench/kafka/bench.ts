// What all workloads on Kafka share: the broker, the desk, the input topics, one start of a worker.
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withDirectory } from '../log.ts'
import type { KafkaOptions } from '../options.ts'
import { firstTimestamp } from '../page-views.ts'
import { machineMs, ownMs } from '../processors.ts'
import { type Broker, openBroker } from './broker.ts'
import { type Assignment, type Candidate, envOf, peer } from './candidates.ts'
import { Desk, type Input } from './desk.ts'
import { type Java, prepareJava } from './java.ts'
import { LineProcess } from './line-process.ts'
import { buildProduct } from './product.ts'

export interface KafkaBench {
  readonly options: KafkaOptions
  readonly broker: Broker
  readonly desk: Desk
  readonly java: Java
  /** Our own worker, in a package that was compiled for this run. */
  readonly worker: string
  readonly directory: string
  /** All topics and groups of this run begin so. */
  readonly prefix: string
  readonly peers: readonly Candidate[]
}

/** Starts what is needed, and leaves nothing behind. */
export async function withKafka<T>(
  options: KafkaOptions,
  work: (bench: KafkaBench) => Promise<T>
): Promise<T> {
  return withDirectory(async (directory) => {
    const java = await prepareJava(directory)
    const worker = await buildProduct(directory)
    const peers = options.peers.flatMap((name) => present(name, java))
    const broker = await openBroker()
    const desk = new Desk(java.command('Desk', { heap: '3g' }), broker.address)
    const prefix = `bench-${randomBytes(4).toString('hex')}-`
    try {
      return await work({ options, broker, desk, java, worker, directory, prefix, peers })
    } finally {
      await desk.delete(prefix).catch((error: unknown) => console.error(String(error)))
      await desk.close()
      await broker.close()
    }
  })
}

// What cannot run is said, and the others are measured.
function present(name: string, java: Java): Candidate[] {
  try {
    return [peer(name, java)]
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return []
  }
}

/** Makes and fills a topic of page views. */
export async function fillViews(
  { desk, prefix }: KafkaBench,
  name: string,
  events: number,
  isDistinct = false
): Promise<Input> {
  const topic = `${prefix}${name}`
  const input = { topic, events, base: firstTimestamp(events, Date.now()), isDistinct }
  const startedAt = Date.now()
  await desk.create([topic])
  await desk.writeViews(input)
  console.error(`${events} views written in ${Math.round((Date.now() - startedAt) / 1_000)} s`)
  return input
}

let starts = 0

/** Starts a worker; it is killed, if it still runs, when the work is done. */
export async function withWorker<T>(
  bench: KafkaBench,
  candidate: Candidate,
  assignment: Assignment,
  work: (worker: LineProcess) => Promise<T>
): Promise<T> {
  await mkdir(assignment.directory, { recursive: true })
  const worker = new LineProcess({
    command: candidate.command,
    env: { ...envOf(assignment, bench.broker.address), ...candidate.env },
    errors: join(bench.directory, `${++starts}-${candidate.name}.err`)
  })
  try {
    return await work(worker)
  } finally {
    worker.kill()
  }
}

/** Deletes what a group had: its topics, its offsets, its state. */
export async function forget(
  { desk }: KafkaBench,
  { directory, group }: Assignment
): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await membersGone(desk, group)
  await desk.delete(`${group}-`, [group])
}

/** A group that still has members would make the next start wait for them. */
export async function membersGone(desk: Desk, group: string): Promise<void> {
  for (let left = 300; left > 0 && (await desk.members(group)) > 0; left--) {
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** What else the machine does while a worker is measured, in processors. */
export class Surroundings {
  readonly #bench: KafkaBench
  readonly #since = Date.now()
  readonly #others: number
  readonly #broker: number

  constructor(bench: KafkaBench, worker: LineProcess) {
    this.#bench = bench
    this.#others = this.#othersMs(worker)
    this.#broker = bench.broker.cpuMs()
  }

  figures(worker: LineProcess): Record<string, number> {
    const ms = Date.now() - this.#since
    return {
      brokerProcessors: (this.#bench.broker.cpuMs() - this.#broker) / ms,
      otherProcessors: Math.max(0, (this.#othersMs(worker) - this.#others) / ms)
    }
  }

  #othersMs(worker: LineProcess): number {
    const { broker, desk } = this.#bench
    return machineMs() - ownMs() - desk.cpuMs() - broker.cpuMs() - worker.cpuMs()
  }
}
