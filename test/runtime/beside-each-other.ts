// A scene of events that are worked on beside each other: a test holds each of them as it likes.
import assert from 'node:assert/strict'
import { type App, createApp, type OnError, type Table, type Topic } from 'tailrace'
import {
  startTestWorker,
  type TestLog,
  type TestWorker,
  type TestWorkerOptions
} from 'tailrace/testing'
import { z } from 'zod'

export interface Began {
  readonly id: number
  readonly key: string | null
  readonly partition: number
  readonly signal: AbortSignal
}

export interface HandsOptions {
  readonly concurrency: number
  readonly order?: 'key' | 'none'
  readonly timeout?: number
  readonly onError?: OnError
  readonly partitions?: number
  /** No event is held unless this says so. */
  readonly isHeld?: (id: number, attempt: number) => boolean
  /** Thrown by the handler after it was held. */
  readonly failure?: (id: number, attempt: number) => Error | undefined
}

/** An app whose handler counts by key and sends the id on; what is held waits for `letGo`. */
export class Hands {
  readonly app: App
  readonly jobs: Topic<string | null, number>
  readonly done: Topic<string | null, string>
  readonly counts: Table<string, number, number, undefined> | undefined
  /** In the order in which they began, retries included. */
  readonly began: Began[] = []
  readonly ended: number[] = []
  /** How many were at work at once, at most. */
  most = 0
  readonly #held = new Map<number, () => void>()
  readonly #attempts = new Map<number, number>()
  #running = 0

  constructor(options: HandsOptions) {
    const { concurrency, onError, order = 'key', partitions = 1, timeout } = options
    const app = createApp({ id: 'app', broker: 'memory:', deadLetter: 'dead' })
    this.app = app
    const key = z.string().nullable()
    this.jobs = app.topic('jobs', { key, value: z.number(), partitions })
    this.done = app.topic('done', { key, value: z.string(), partitions: 1 })
    const uses = {
      source: this.jobs,
      outputs: { done: this.done },
      concurrency,
      order,
      ...(timeout !== undefined && { timeout }),
      ...(onError !== undefined && { onError })
    }
    if (order === 'none') {
      app.each('work', uses, async ({ key, partition, value }, { done }, { signal }) => {
        await this.#work({ id: value, key, partition, signal }, options)
        done.send({ key, value: `${value}` })
      })
      return
    }
    const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
    this.counts = counts
    app.each(
      'work',
      { ...uses, tables: { counts } },
      async (event, { counts, done }, { signal }) => {
        const { key, partition, value: id } = event
        const before = key === null ? 0 : counts.get(key)
        if (key !== null) counts.set(key, before + 1)
        await this.#work({ id, key, partition, signal }, options)
        const now = key === null ? 0 : counts.get(key)
        done.send({ key, value: `${id}:${now}` })
      }
    )
  }

  async #work(began: Began, { failure, isHeld }: HandsOptions): Promise<void> {
    const { id } = began
    const attempt = (this.#attempts.get(id) ?? 0) + 1
    this.#attempts.set(id, attempt)
    this.began.push(began)
    this.#running++
    this.most = Math.max(this.most, this.#running)
    if (isHeld?.(id, attempt) === true) {
      await new Promise<void>((resolve) => this.#held.set(id, resolve))
    }
    this.#running--
    const error = failure?.(id, attempt)
    if (error !== undefined) throw error
    this.ended.push(id)
  }

  get ids(): readonly number[] {
    return this.began.map(({ id }) => id)
  }

  letGo(...ids: readonly number[]): void {
    for (const id of ids) {
      const go = this.#held.get(id)
      assert.ok(go !== undefined, `${id} is not at work`)
      this.#held.delete(id)
      go()
    }
  }

  letAllGo(): void {
    this.letGo(...this.#held.keys())
  }

  start(log: TestLog, options: Partial<TestWorkerOptions> = {}): Promise<TestWorker> {
    return startTestWorker(this.app, { log, ...options })
  }
}

/** Sends jobs: each a key and its place in the list as id. */
export async function sendJobs(
  log: TestLog,
  { jobs }: Hands,
  keys: readonly (string | null)[],
  firstId = 0
): Promise<void> {
  for (const [index, key] of keys.entries()) await log.send(jobs, { key, value: firstId + index })
}

/** Next offset to read of partition 0, as the group has it. */
export function committedOf(log: TestLog, partition = 0): number {
  return log.broker.committed('app', [{ topic: 'jobs', partition }])[0]?.offset ?? 0
}

export function sentOn(log: TestLog, { done }: Hands): readonly string[] {
  return log.read(done).map(({ value }) => value)
}
