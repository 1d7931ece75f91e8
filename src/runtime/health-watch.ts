// Judges a node by what its keeper sees of it: pure, so that every limit can be tried by itself.
// Durations are what looks have seen; a process that slept as a whole was not ill meanwhile.
import { formatDuration } from '../core/duration.ts'
import { type AgedEvent, type HealthCode, healthCodes } from './health-frames.ts'
import type { HealthLimits } from './node-place.ts'
import type { NodePulse, WatchedEvent } from './pulse.ts'

/** What is known of a node at one look. */
export interface HealthReading extends NodePulse {
  readonly tickMs: number
  readonly events: readonly WatchedEvent[]
  /** Whether the group has settled what is the node's. */
  readonly isSettled: boolean
  readonly rssBytes: number
}

export interface Health {
  readonly code: HealthCode
  readonly reason: string | undefined
}

const well: Health = { code: healthCodes.well, reason: undefined }

/** The loop ticks four times a second: a shorter silence is nothing. */
const silenceMsMin = 500

export class HealthWatch {
  readonly #limits: HealthLimits
  #events = new Map<string, AgedEvent>()
  #last: HealthReading | undefined
  #silentMs = 0
  #unpolledMs = 0
  #unsettledMs = 0
  #unrestoredMs = 0

  constructor(limits: HealthLimits) {
    this.#limits = limits
  }

  /** How long the loop has been silent. */
  get loopMs(): number {
    return this.#silentMs > silenceMsMin ? this.#silentMs : 0
  }

  /** Open events, the oldest first. */
  get events(): readonly AgedEvent[] {
    return [...this.#events.values()].sort((a, b) => b.ageMs - a.ageMs)
  }

  /** Looks again, this long after the look before. */
  look(reading: HealthReading, passedMs: number): Health {
    const last = this.#last
    this.#last = reading
    const isTicking = last === undefined || reading.tickMs !== last.tickMs
    this.#silentMs = isTicking ? 0 : this.#silentMs + passedMs
    // A blocked loop asks, joins and restores nothing: that is told as what it is.
    const isBlocked = this.#silentMs > silenceMsMin
    const grown = (ms: number, isSame: boolean): number =>
      isSame ? ms + (isBlocked ? 0 : passedMs) : 0
    const isUnpolled = reading.isPolling && last?.polls === reading.polls
    this.#unpolledMs = grown(this.#unpolledMs, isUnpolled)
    this.#unsettledMs = grown(this.#unsettledMs, !reading.isSettled)
    const isUnrestored = reading.restoring > 0 && last?.restored === reading.restored
    this.#unrestoredMs = grown(this.#unrestoredMs, isUnrestored)
    this.#age(reading.events, passedMs)
    return this.#judge(reading)
  }

  #age(events: readonly WatchedEvent[], passedMs: number): void {
    const before = this.#events
    this.#events = new Map(
      events.map((event) => {
        const key = `${event.topic}/${event.partition}/${event.offset}/${event.agent}`
        const known = before.get(key)
        return [key, { ...event, ageMs: known === undefined ? 0 : known.ageMs + passedMs }]
      })
    )
  }

  // The first that is beyond its limit; what explains the others comes before them.
  #judge({ heapPercent, rssBytes }: HealthReading): Health {
    const limits = this.#limits
    const [oldest] = this.events
    if (this.#silentMs > limits.loopMs) {
      const where = oldest === undefined ? '' : `, ${eventText(oldest)}`
      return ill('loop', `its loop has been blocked for ${span(this.#silentMs)}${where}`)
    }
    if (oldest !== undefined && oldest.ageMs > limits.eventMs) {
      return ill('event', `${eventText(oldest)} for ${span(oldest.ageMs)}`)
    }
    if (this.#unpolledMs > limits.pollMs) {
      return ill('poll', `it has not asked the log for ${span(this.#unpolledMs)}`)
    }
    if (limits.memoryBytes !== undefined && rssBytes > limits.memoryBytes) {
      const [has, may] = [megabytes(rssBytes), megabytes(limits.memoryBytes)]
      return ill('memory', `it has ${has} MB resident, and may have ${may}`)
    }
    if (heapPercent > limits.heapPercent) {
      return ill('heap', `${Math.round(heapPercent)} % of its heap is in use`)
    }
    if (this.#unsettledMs > limits.membershipMs) {
      return ill('membership', `its group has not settled for ${span(this.#unsettledMs)}`)
    }
    if (this.#unrestoredMs > limits.restoreMs) {
      return ill('restore', `its restore has not come further for ${span(this.#unrestoredMs)}`)
    }
    return well
  }
}

function ill(name: keyof typeof healthCodes, reason: string): Health {
  return { code: healthCodes[name], reason }
}

/** As a person reads it. */
function eventText({ agent, offset, partition, topic }: WatchedEvent): string {
  return `agent "${agent}" works on "${topic}" partition ${partition} offset ${offset}`
}

const span = (ms: number): string => formatDuration(ms)
const megabytes = (bytes: number): number => Math.round(bytes / 1e6)
