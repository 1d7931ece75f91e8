// W6 and loop-hold: this process sends at a steady rate and reads the answers; a worker echoes.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BatchCursor } from '../src/core/batch-cursor.ts'
import type { Producer, Transport } from '../src/port/transport.ts'
import { Child } from './child.ts'
import { createTopics, openLog } from './log.ts'
import type { BenchOptions } from './options.ts'
import { inputTopic, partitions } from './page-views.ts'
import { type Job, outputOf } from './programs.ts'
import type { Figures, Row } from './report.ts'

const warmMsMax = 5_000

interface Shape {
  readonly rate: number
  readonly ms: number
  readonly commitInterval: string
}

export async function latencyRows(
  { broker, workload, runs, profile, events, only }: BenchOptions,
  directory: string
): Promise<readonly Row[]> {
  const rate = workload === 'W6' ? 1_000 : 20_000
  const ms = events === undefined ? 10_000 : (events / rate) * 1_000
  const transport = await openLog(directory)
  await createTopics(transport.admin(), [inputTopic])
  const intervals = workload === 'W6' ? ['100ms', '10ms'] : ['100ms']
  const rows: Row[] = []
  for (const commitInterval of intervals) {
    const variant = `loop, ${rate}/s, commit ${commitInterval}`
    if (!variant.includes(only)) continue
    const figures: Figures[] = []
    for (let round = 0; round < runs; round++) {
      const shape = { rate, ms, commitInterval }
      const appId = `bench-${commitInterval}-${round}`
      const one = await echo(transport, { directory, appId, shape, profile })
      figures.push(one)
      console.error(`${round + 1}/${runs} commit ${commitInterval}: ${JSON.stringify(one)}`)
    }
    rows.push({ workload, variant, broker, guarantee: 'exactly-once', runs: figures })
  }
  await transport.close()
  return rows
}

interface Echo {
  readonly directory: string
  readonly appId: string
  readonly shape: Shape
  readonly profile: string | undefined
}

type LoopFigures = Record<'holdMsMax' | 'holdMsP99' | 'idleHoldMsMax' | 'rssMbPeak', number>

async function echo(
  transport: Transport,
  { directory, appId, shape, profile }: Echo
): Promise<Figures> {
  const job: Job = {
    program: 'echo',
    form: 'loop',
    appId,
    broker: `embedded:${join(directory, 'log')}`,
    datadir: join(directory, appId),
    commitInterval: shape.commitInterval,
    retention: '1d',
    events: 0,
    base: 0,
    warmUp: 0,
    keptFrom: 0,
    watchesLoop: true
  }
  const child = new Child(job, profile)
  try {
    await child.answer('ready')
    const probe = new Probe(transport, outputOf(appId))
    const producer = await transport.producer()
    await probe.open()
    await send(producer, { ...shape, ms: Math.min(warmMsMax, shape.ms) })
    await child.watch()
    const from = now()
    const sent = await send(producer, shape)
    await producer.flush()
    const figures = await probe.close(from, sent)
    const { figures: own } = await child.ask('figures')
    await producer.close()
    await child.stop()
    const { holdMsMax, holdMsP99, idleHoldMsMax, rssMbPeak } = own as LoopFigures
    return { ...figures, holdMsMax, holdMsP99, idleHoldMsMax, rssMbPeak }
  } finally {
    child.kill()
  }
}

/** The same for all processes of the machine. */
function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Each value says when it should have been sent, so that a late sender counts as latency. */
async function send(
  producer: Producer,
  { rate, ms }: Omit<Shape, 'commitInterval'>
): Promise<number> {
  const start = now()
  const count = Math.round((rate * ms) / 1_000)
  let failure: unknown
  for (let index = 0; index < count; ) {
    const due = Math.min(count, Math.floor(((now() - start) * rate) / 1_000))
    for (; index < due; index++) {
      const at = start + (index * 1_000) / rate
      const record = { topic: inputTopic, partition: index % partitions, key: keyBytes }
      const value = Buffer.from(JSON.stringify({ at }))
      producer.send({ ...record, value, timestamp: Math.floor(at) }).catch((error: unknown) => {
        failure ??= error
      })
    }
    if (failure !== undefined) throw failure
    await sleep(1)
  }
  return count
}

const keyBytes = Buffer.from('w0')

/** Reads the output as others would: only what is committed is there. */
class Probe {
  readonly #transport: Transport
  readonly #topic: string
  readonly #seen: { readonly sentAt: number; readonly ms: number }[] = []
  #isOpen = true
  #running: Promise<void> = Promise.resolve()

  constructor(transport: Transport, topic: string) {
    this.#transport = transport
    this.#topic = topic
  }

  async open(): Promise<void> {
    const fetcher = await this.#transport.fetcher()
    const topic = this.#topic
    fetcher.add(
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
    )
    this.#running = (async () => {
      const cursor = new BatchCursor()
      while (this.#isOpen) {
        for (const { bytes } of await fetcher.fetch({ bytesMax: 4 << 20, waitMaxMs: 50 })) {
          const at = now()
          cursor.reset(bytes, 0)
          while (cursor.next()) {
            const text = cursor.bytes.toString('latin1', cursor.valueStart, cursor.valueEnd)
            const sentAt = (JSON.parse(text) as { readonly at: number }).at
            this.#seen.push({ sentAt, ms: at - sentAt })
          }
        }
      }
      await fetcher.close()
    })()
  }

  /** Waits for the answers to everything sent from a moment on; each must have come once. */
  async close(from: number, sent: number): Promise<Figures> {
    const deadline = now() + 10_000
    const own = (): number[] =>
      this.#seen.filter(({ sentAt }) => sentAt >= from).map(({ ms }) => ms)
    while (own().length < sent && now() < deadline) await sleep(100)
    await sleep(200)
    this.#isOpen = false
    await this.#running
    const latencies = own().sort((a, b) => a - b)
    if (latencies.length !== sent) {
      throw new Error(`${sent} messages were sent, and ${latencies.length} came back`)
    }
    const at = (share: number): number => latencies[Math.ceil(sent * share) - 1] ?? Number.NaN
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), messages: sent }
  }
}
