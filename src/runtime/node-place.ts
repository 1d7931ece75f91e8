// What a worker knows of itself as a node of a swarm, and how it tells how it is.

/** Which node of a swarm this process is. */
export interface NodePlace {
  /** From 0; the same after a restart. */
  readonly id: number
  /** Nodes of the swarm. */
  readonly count: number
  readonly supervisorPid: number
}

/** From when on a node is ill; in ms, bytes and percent. */
export interface HealthLimits {
  readonly pollMs: number
  readonly eventMs: number
  readonly memoryBytes: number | undefined
  readonly membershipMs: number
  readonly loopMs: number
  readonly heapPercent: number
  readonly restoreMs: number
}

/** How the keeper of a node reports to its supervisor. */
export interface HealthReporting {
  /** The pipe: reports go out, requests for a dump come in. */
  readonly fd: number
  readonly intervalMs: number
  readonly supervisorPid: number
  readonly limits: HealthLimits
}
