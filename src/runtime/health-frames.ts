// What a keeper writes to the pipe of its node, and what the supervisor asks there: JSON lines.
import type { WatchedEvent } from './pulse.ts'

/** Why a node is ill; 0 is well, and -1 is what the supervisor says of a silent one. */
export const healthCodes = {
  silent: -1,
  well: 0,
  poll: 1,
  event: 2,
  memory: 3,
  membership: 4,
  loop: 5,
  heap: 6,
  restore: 7
} as const

export type HealthCode = (typeof healthCodes)[keyof typeof healthCodes]

/** An open event with the time that the keeper has seen it for. */
export interface AgedEvent extends WatchedEvent {
  readonly ageMs: number
}

export interface HealthFrame {
  readonly kind: 'health'
  readonly code: HealthCode
  /** Undefined while it is well. */
  readonly reason: string | undefined
  readonly rssBytes: number
  readonly heapPercent: number
  /** How long the loop has been silent. */
  readonly loopMs: number
  readonly oldest: AgedEvent | undefined
  /** Where the loop hangs, when it is ill and does. */
  readonly stack: readonly string[]
}

/** What an event of a node that does not answer any more looks like, as asked for. */
export interface DumpFrame {
  readonly kind: 'dump'
  readonly loopMs: number
  readonly events: readonly AgedEvent[]
  readonly stack: readonly string[]
}

export type NodeFrame = HealthFrame | DumpFrame

/** The one thing that is asked over the pipe. */
export const dumpRequest = 'dump'

/** Cuts what comes in pieces into lines; one that is longer than this is dropped. */
export class Lines {
  readonly #onLine: (line: string) => void
  #rest = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = (lines.pop() ?? '').slice(-lineCharactersMax)
    for (const line of lines) if (line !== '') this.#onLine(line)
  }
}

const lineCharactersMax = 1_048_576
