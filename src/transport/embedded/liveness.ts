// Who lives: judged by heartbeats in monotonic time and, on the same machine, by the process id.

import type { ProcessIdentity } from './boot.ts'

export interface Heartbeat {
  /** On the system-wide monotonic clock. */
  readonly beatMs: number
  readonly sessionMs: number
  readonly identity: ProcessIdentity
}

export interface Judge {
  readonly identity: ProcessIdentity
  readonly nowMs: number
  /** False while the judge's own beats were held up: what held it up may have held up all. */
  readonly isSteady: boolean
  readonly isProcessAlive: (pid: number) => boolean
}

/** Two processes read the clock at different moments: this much ahead is not yet another boot. */
const clockSlackMs = 1_000

export function isDead({ beatMs, sessionMs, identity }: Heartbeat, judge: Judge): boolean {
  const own = judge.identity
  // It lived before the machine was started anew. A beat in the future says so without a boot id.
  if (identity.boot !== own.boot || beatMs > judge.nowMs + clockSlackMs) return true
  // Process ids mean nothing across namespaces (containers); used again, one only delays.
  const isNeighbour = identity.pidNamespace === own.pidNamespace
  if (isNeighbour && !judge.isProcessAlive(identity.pid)) return true
  return judge.isSteady && judge.nowMs - beatMs > sessionMs
}

/**
 * Whether one may call others late. After a pause of one's own (a stopped process, a locked
 * database) everybody looks late, so a judge first beats in time for a while.
 */
export class Steadiness {
  #lastBeatMs: number | undefined
  #since = 0

  /** Told at each own beat. */
  beat(
    nowMs: number,
    { heartbeatMs, sessionMs }: { heartbeatMs: number; sessionMs: number }
  ): void {
    const gap = nowMs - (this.#lastBeatMs ?? Number.NEGATIVE_INFINITY)
    if (gap > Math.max(heartbeatMs * 3, sessionMs / 3)) this.#since = nowMs + heartbeatMs * 3
    this.#lastBeatMs = nowMs
  }

  isSteady(nowMs: number): boolean {
    return this.#lastBeatMs !== undefined && nowMs >= this.#since
  }
}
