// A log of a test's own, on any transport: bytes go in as a stranger would send them, workers of an
// app run on it, and what they left is read back. Everything is closed when the test ends.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type App,
  type AppOptions,
  createApp,
  type StartOptions,
  type Transport,
  type Worker
} from 'tailrace'
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import type { RecordHeader } from '../../src/core/record-batch.ts'

export interface Bytes {
  readonly key?: string | Uint8Array | null
  readonly value: string | Uint8Array | null
  readonly timestamp?: number
  readonly partition?: number
  readonly headers?: readonly RecordHeader[]
}

export interface LoggedBytes {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

/** Long enough for the slowest machine; only a test that fails waits for it. */
const patienceMs = 30_000

export interface AppLogParts {
  /** Removed at the end. */
  readonly directory: string
  readonly transport: Transport
  /** Of every app, unless a test says otherwise. */
  readonly options: Partial<AppOptions> & { readonly id: string }
}

export class AppLog {
  readonly directory: string
  /** Of the apps, unless a test says otherwise. */
  readonly id: string
  readonly transport: Transport
  readonly #options: AppLogParts['options']
  readonly #apps: App[] = []
  readonly #workers: Worker[] = []

  constructor({ directory, options, transport }: AppLogParts) {
    this.directory = directory
    this.id = options.id
    this.transport = transport
    this.#options = options
  }

  /** What a topic is called here: on a log that tests share, a name of this test's own. */
  name(title: string): string {
    return title
  }

  /** A text without what is this test's own in its names. */
  plain(text: string): string {
    return text.replaceAll(`${this.id}-`, '')
  }

  place(name: string): string {
    return join(this.directory, name)
  }

  /** An app on this log that commits often and says nothing. */
  app(options: Partial<AppOptions> = {}): App {
    const app = createApp({
      datadir: this.place('data'),
      web: false,
      logLevel: 'silent',
      commitInterval: 10,
      ...this.#options,
      ...options
    })
    this.#apps.push(app)
    return app
  }

  async start(app: App, options: StartOptions = {}): Promise<Worker> {
    const worker = await app.start(options)
    this.#workers.push(worker)
    return worker
  }

  /** What ends a worker of the app by itself: while it starts, or as soon as it reads. */
  async endOf(app: App): Promise<unknown> {
    try {
      const worker = await this.start(app)
      return await worker.ended
    } catch (error) {
      return error
    }
  }

  async create(
    name: string,
    partitions = 1,
    extra: Readonly<Record<string, string>> = {}
  ): Promise<void> {
    const settings = {
      cleanupPolicy: 'delete',
      retentionMs: -1,
      timestampType: 'create',
      extra
    } as const
    await this.transport.admin().create([{ name, partitions, replication: 1, settings }])
  }

  /** Appends bytes as they are, each in a batch of its own so that their order is kept. */
  async put(topic: string, records: readonly Bytes[]): Promise<void> {
    const producer = await this.transport.producer()
    for (const { headers = [], key, partition = 0, timestamp, value } of records) {
      await producer.send({
        topic,
        partition,
        key: bytesOf(key),
        value: bytesOf(value),
        timestamp: timestamp ?? Date.now(),
        headers
      })
    }
    await producer.close()
  }

  /** Everything readable in a topic: by partition, then by offset. */
  async read(topic: string): Promise<LoggedBytes[]> {
    const [found] = await this.transport.admin().describe([topic])
    const all = Array.from({ length: found?.partitions ?? 0 }, (_, partition) =>
      this.#readPartition(topic, partition)
    )
    return (await Promise.all(all)).flat()
  }

  async #readPartition(topic: string, partition: number): Promise<LoggedBytes[]> {
    const at = { topic, partition }
    const [range] = await this.transport.admin().ranges([at])
    assert.ok(range !== undefined)
    const records: LoggedBytes[] = []
    const fetcher = await this.transport.fetcher()
    fetcher.add([{ ...at, offset: range.start }])
    const cursor = new BatchCursor()
    for (let position = range.start; position < range.end; ) {
      for (const chunk of await fetcher.fetch({ bytesMax: 1 << 20, waitMaxMs: 100 })) {
        cursor.reset(chunk.bytes, position)
        while (cursor.next()) records.push(recordOf(cursor, partition))
        position = chunk.nextOffset
      }
    }
    await fetcher.close()
    return records
  }

  /** True when the app has read and committed everything of the topic. */
  async isCommitted(topic: string, group: string = this.id): Promise<boolean> {
    const [found] = await this.transport.admin().describe([topic])
    if (found === undefined) return false
    const partitions = Array.from({ length: found.partitions }, (_, partition) => ({
      topic,
      partition
    }))
    const ranges = await this.transport.admin().ranges(partitions)
    const committed = await this.transport.admin().committed(group, partitions)
    return ranges.every(({ end, partition, start }) => {
      return end === start || committed.find((one) => one.partition === partition)?.offset === end
    })
  }

  /** Waits until the worker has committed all of these topics; fails when it ends before. */
  async settled(worker: Worker, ...topics: readonly string[]): Promise<void> {
    const ended = worker.ended.then((error) => {
      throw new Error('the worker ended', { cause: error })
    })
    // Whoever stops the worker later is not to blame.
    ended.catch(() => undefined)
    for (const topic of topics) {
      await Promise.race([until(() => this.isCommitted(topic), `"${topic}" is committed`), ended])
    }
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) await worker.stop({ isCold: true }).catch(() => undefined)
    for (const app of this.#apps) await app.runner.close()
    await this.transport.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Waits for a condition, never for a time. */
export async function until(test: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + patienceMs
  while (!(await test())) {
    assert.ok(performance.now() < end, `waited in vain: ${what}`)
    await sleep(5)
  }
}

export function textOf(value: Uint8Array | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString()
}

/** Headers as text, the last of each name. */
export function headerTexts({ headers }: LoggedBytes): Readonly<Record<string, string | null>> {
  return Object.fromEntries(headers.map(({ key, value }) => [key, textOf(value)]))
}

function bytesOf(given: string | Uint8Array | null | undefined): Uint8Array | null {
  if (given === undefined || given === null) return null
  return typeof given === 'string' ? Buffer.from(given) : given
}

// The cursor's views are into a buffer that the next fetch may use again.
function recordOf(cursor: BatchCursor, partition: number): LoggedBytes {
  const copy = (view: Uint8Array | null): Buffer | null =>
    view === null ? null : Buffer.from(view)
  return {
    partition,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: copy(cursor.key()),
    value: copy(cursor.value()),
    headers: cursor.headers().map(({ key, value }) => ({ key, value: value && copy(value) }))
  }
}
