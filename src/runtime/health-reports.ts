// Tells the supervisor of a swarm how this node is, whatever its loop does; and ends the process
// when there is no supervisor any more. Runs where the keeper runs.
import type { Cancel, Clock } from '../port/clock.ts'
import { HealthPipe } from './health-pipe.ts'
import { healthCodes } from './health-frames.ts'
import { type Health, HealthWatch } from './health-watch.ts'
import type { HealthReporting } from './node-place.ts'
import type { Pulse } from './pulse.ts'
import { blockedStack } from './stall-watch.ts'

const lookMsMax = 250
/** A loop that lives has ended the process by then: it is told that the supervisor is gone. */
const orphanGraceMs = 1_500

export interface HealthReportsParts extends HealthReporting {
  readonly pulse: Pulse
  readonly clock: Clock
  readonly isSettled: () => boolean
}

export class HealthReports {
  readonly #parts: HealthReportsParts
  readonly #pipe: HealthPipe
  readonly #watch: HealthWatch
  readonly #lookMs: number
  #lookedMs: number
  #reportMs = Number.NEGATIVE_INFINITY
  #health: Health = { code: healthCodes.well, reason: undefined }
  #orphanedMs = 0
  #cancel: Cancel = () => undefined

  constructor(parts: HealthReportsParts) {
    this.#parts = parts
    this.#pipe = new HealthPipe(parts.fd, () => void this.#dump())
    this.#watch = new HealthWatch(parts.limits)
    this.#lookMs = Math.min(lookMsMax, parts.intervalMs)
    this.#lookedMs = parts.clock.monotonic()
  }

  /** Reports at once, then every interval, and as soon as something is wrong. */
  start(): void {
    this.#look()
  }

  stop(): void {
    this.#cancel()
    this.#pipe.close()
  }

  #look(): void {
    const { clock, intervalMs, pulse } = this.#parts
    const now = clock.monotonic()
    const passedMs = Math.min(now - this.#lookedMs, 2 * this.#lookMs)
    this.#lookedMs = now
    this.#endOrphaned(passedMs)
    const before = this.#health
    const reading = {
      ...pulse.read(),
      ...pulse.node(),
      events: pulse.openEvents(),
      isSettled: this.#parts.isSettled(),
      rssBytes: process.memoryUsage.rss()
    }
    this.#health = this.#watch.look(reading, passedMs)
    const isDue = now - this.#reportMs >= intervalMs
    if (isDue || this.#health.code !== before.code) {
      this.#reportMs = now
      void this.#report(this.#health)
    }
    this.#cancel = clock.schedule(this.#lookMs, () => this.#look())
  }

  async #report({ code, reason }: Health): Promise<void> {
    const { pulse } = this.#parts
    const stack = code === healthCodes.well ? [] : await this.#stack()
    this.#pipe.send({
      kind: 'health',
      code,
      reason,
      rssBytes: process.memoryUsage.rss(),
      heapPercent: pulse.node().heapPercent,
      loopMs: Math.round(this.#watch.loopMs),
      oldest: this.#watch.events[0],
      stack
    })
  }

  async #dump(): Promise<void> {
    const stack = await this.#stack()
    const loopMs = Math.round(this.#watch.loopMs)
    this.#pipe.send({ kind: 'dump', loopMs, events: this.#watch.events, stack })
  }

  // Of a loop that runs the next line is no news, and to stop it for that would do harm.
  async #stack(): Promise<readonly string[]> {
    return this.#watch.loopMs === 0 ? [] : blockedStack()
  }

  // Its loop exits by itself when the channel closes; where it is blocked there is only signal 9,
  // because a thread cannot set an exit code.
  #endOrphaned(passedMs: number): void {
    const isOrphaned = process.ppid !== this.#parts.supervisorPid
    this.#orphanedMs = isOrphaned ? this.#orphanedMs + passedMs : 0
    if (this.#orphanedMs > orphanGraceMs) process.kill(process.pid, 'SIGKILL')
  }
}
