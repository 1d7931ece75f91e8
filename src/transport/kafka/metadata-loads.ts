// Asks for metadata once for all who need it, and not again at once for what was asked just now.

import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'

interface Asked {
  /** When the question goes out: that may be yet to come. */
  readonly at: number
  readonly count: number
}

interface Sent {
  /** Of the question, counted from 1. */
  readonly number: number
  readonly answer: Promise<void>
}

const firstDelayMs = 50
const delayMsMax = 1_000
/** After so long without a question the next one is a new matter. */
const forgottenMs = 5_000
/** Stands for a question about no topic, which answers who the brokers are. */
const noTopic = ''

export class MetadataLoads {
  readonly #clock: Clock
  readonly #request: (topics: readonly string[]) => Promise<void>
  readonly #asked: Map<string, Asked> = new Map()
  readonly #sent: Map<string, Sent> = new Map()
  /** What the next question is about. */
  readonly #wanted: Set<string> = new Set()
  #questions = 0
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(clock: Clock, request: (topics: readonly string[]) => Promise<void>) {
    this.#clock = clock
    this.#request = request
  }

  /** Resolves after an answer to a question that was asked after this call. */
  async load(topics: readonly string[]): Promise<void> {
    const names = topics.length === 0 ? [noTopic] : topics
    const asked = this.#questions
    const now = this.#clock.monotonic()
    const waitMs = Math.max(...names.map((name) => this.#dueMs(name, now))) - now
    if (waitMs > 0) await pause(this.#clock, waitMs)
    const sent = names.flatMap((name) => this.#sent.get(name) ?? [])
    // Somebody who waited as well has asked meanwhile.
    if (sent.length === names.length && sent.every(({ number }) => number > asked)) {
      await Promise.all(sent.map(({ answer }) => answer))
      return
    }
    for (const name of names) this.#wanted.add(name)
    this.#next ??= this.#ask()
    await this.#next
  }

  async #ask(): Promise<void> {
    await this.#running
    // Who asks from here on is too late for this question.
    this.#next = undefined
    const names = [...this.#wanted]
    this.#wanted.clear()
    const answer = this.#request(names.filter((name) => name !== noTopic))
    this.#running = answer.catch(() => undefined)
    const number = ++this.#questions
    for (const name of names) this.#sent.set(name, { number, answer })
    await answer
  }

  /** When a question about this may go out: many who want one wait for the same. */
  #dueMs(name: string, now: number): number {
    const asked = this.#asked.get(name)
    if (this.#wanted.has(name)) return now
    if (asked !== undefined && asked.at > now) return asked.at
    const isNew = asked === undefined || now - asked.at > forgottenMs
    const count = isNew ? 0 : asked.count + 1
    const delayMs = Math.min(delayMsMax, firstDelayMs * 2 ** Math.min(count, 10))
    const at = isNew ? now : Math.max(now, asked.at + delayMs * (0.8 + Math.random() * 0.4))
    this.#asked.set(name, { at, count })
    return at
  }
}
