// Asks for metadata once for all who need it, and not again at once for what was asked just now.

import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'

interface Asked {
  readonly at: number
  readonly count: number
}

const firstDelayMs = 50
const delayMsMax = 1_000
/** After so long without a question the next one is a new matter. */
const forgottenMs = 5_000

export class MetadataLoads {
  readonly #clock: Clock
  readonly #request: (topics: readonly string[]) => Promise<void>
  readonly #asked: Map<string, Asked> = new Map()
  readonly #wanted: Set<string> = new Set()
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(clock: Clock, request: (topics: readonly string[]) => Promise<void>) {
    this.#clock = clock
    this.#request = request
  }

  /** Resolves after an answer to a question that was asked after this call. */
  async load(topics: readonly string[]): Promise<void> {
    const names = topics.length === 0 ? [''] : topics
    const waitMs = Math.max(0, ...names.map((name) => this.#waitMs(name)))
    if (waitMs > 0) await pause(this.#clock, waitMs)
    for (const topic of topics) this.#wanted.add(topic)
    this.#next ??= this.#ask()
    await this.#next
  }

  async #ask(): Promise<void> {
    await this.#running
    // Who asks from here on is too late for this question.
    this.#next = undefined
    const topics = [...this.#wanted]
    this.#wanted.clear()
    const answer = this.#request(topics)
    this.#running = answer.catch(() => undefined)
    await answer
  }

  #waitMs(name: string): number {
    const now = this.#clock.monotonic()
    const asked = this.#asked.get(name)
    const isNew = asked === undefined || now - asked.at > forgottenMs
    const count = isNew ? 0 : asked.count + 1
    this.#asked.set(name, { at: now, count })
    if (isNew) return 0
    const delayMs = Math.min(delayMsMax, firstDelayMs * 2 ** Math.min(count, 10))
    return Math.max(0, asked.at + delayMs * (0.8 + Math.random() * 0.4) - now)
  }
}
