// What goes wrong inside the workers of a simulation: drawn by the seed, and counted.
import { TailraceError } from 'tailrace'
import type { DiskDelay, Fault } from 'tailrace/testing'
import type { Random } from './random.ts'
import type { Weather } from './topology.ts'

/** What can go wrong; each must have happened over all seeds. */
export const kinds = [
  'crash',
  'crash before a commit',
  'crash after a commit',
  'crash beside a store write',
  'disk lost',
  'disk kept',
  'leave',
  'join',
  'freeze within the session',
  'freeze beyond the session',
  'worker expelled by its group',
  'clock jump',
  'log compacted',
  'operation delayed',
  'operation failed',
  'commit failed, known',
  'commit failed, unknown',
  'commit delayed for long',
  'commit later than its timeout',
  'commit of a task that another owns',
  'commit of a producer that was replaced',
  'commit restarted all tasks',
  'event thrown back',
  'event waited',
  'several events at once',
  'several events at once, beside others',
  'loop returned',
  'order that is unreadable',
  'order that is cursed',
  'order that is skipped',
  'row too large to commit',
  'late event',
  'shard rebuilt',
  'windows expired',
  'repartition purged',
  'worker died of a fault'
] as const

export type Kind = (typeof kinds)[number]
export type Sometimes = Map<Kind, number>

/** A worker that faults happen to. */
export interface Victim {
  readonly random: Random
  crash(): void
  pause(ms: number): Promise<void>
}

export interface FaultShares {
  /** Of operations of the log. */
  readonly operations: number
  /** Of events. */
  readonly events: number
}

export const commitTimeoutMs = 4_000

/** Whatever is broken in one run: all of it can be ended at once. */
export class Faults {
  readonly #sometimes: Sometimes
  #shares: FaultShares
  #isBroken: () => boolean

  constructor(shares: FaultShares, sometimes: Sometimes, isBroken: () => boolean) {
    this.#shares = shares
    this.#sometimes = sometimes
    this.#isBroken = isBroken
  }

  count(kind: Kind): void {
    this.#sometimes.set(kind, (this.#sometimes.get(kind) ?? 0) + 1)
  }

  end(): void {
    this.#shares = { operations: 0, events: 0 }
    this.#isBroken = () => false
  }

  /** What becomes of one operation of the log. */
  of(operation: string, victim: Victim): Fault | undefined {
    if (operation === 'admin.deleteRecords') this.count('repartition purged')
    if (operation === 'transaction.end') {
      const fault = this.#commitFault(victim)
      if (fault !== undefined) return fault
    }
    const { random } = victim
    const isBroken = this.#isBroken()
    if (!isBroken && !random.chance(this.#shares.operations)) return undefined
    if (!isBroken && random.chance(0.6)) {
      this.count('operation delayed')
      return { delayMs: random.whole(0, 300) }
    }
    if (seldom.has(operation) && random.chance(0.9)) return undefined
    const isAfter = random.chance(0.5)
    this.count('operation failed')
    if (operation === 'transaction.end') {
      this.count(isAfter ? 'commit failed, unknown' : 'commit failed, known')
    }
    const error = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', `${operation} was broken`)
    return { error, isAfter }
  }

  #commitFault({ crash, random }: Victim): Fault | undefined {
    const draw = random.next() / (this.#shares.operations || Number.MIN_VALUE)
    if (draw < 0.4) {
      this.count('crash before a commit')
      crash()
    } else if (draw < 0.8) {
      // It takes hold, and nobody hears of it.
      this.count('crash after a commit')
      queueMicrotask(crash)
    } else if (draw < 1.2) {
      this.count('commit later than its timeout')
      return { delayMs: commitTimeoutMs + random.whole(1, 3_000) }
    } else if (draw < 3) {
      this.count('commit delayed for long')
      return { delayMs: random.whole(300, commitTimeoutMs - 500) }
    }
    return undefined
  }

  /** How long a disk takes; now and then its worker dies before or after the write. */
  disk(victim: () => Victim): DiskDelay {
    return async (operation) => {
      const { crash, pause, random } = victim()
      if (operation === 'wipe') this.count('shard rebuilt')
      if (operation === 'clear') this.count('windows expired')
      if (operation === 'write' && random.chance(this.#shares.operations / 4)) {
        this.count('crash beside a store write')
        crash()
      }
      if (random.chance(0.3)) await pause(random.whole(0, random.chance(0.05) ? 1_000 : 40))
    }
  }

  weather(victim: () => Victim): Weather {
    const isDue = (): boolean => victim().random.chance(this.#shares.events)
    return {
      maybeThrow: () => {
        if (!isDue()) return
        this.count('event thrown back')
        throw new Error('weather')
      },
      maybeWait: () => {
        if (!isDue()) return undefined
        this.count('event waited')
        return victim().pause(victim().random.whole(0, 150))
      },
      linger: () => {
        const { pause, random } = victim()
        return random.chance(1 / 3) ? pause(random.whole(0, 150)) : undefined
      },
      maybeEnd: () => {
        if (!isDue()) return false
        this.count('loop returned')
        return true
      }
    }
  }
}

// Asked at each start: failing as often as others they would end most workers before they run.
const seldom: ReadonlySet<string> = new Set([
  'open',
  'admin.describe',
  'admin.create',
  'group.join',
  'admin.committed',
  'admin.ranges',
  'transaction.open',
  'fetch.open'
])

/** For what happens in a worker without faults. */
export const calm: Weather = {
  maybeThrow: () => undefined,
  maybeWait: () => undefined,
  linger: () => undefined,
  maybeEnd: () => false
}
