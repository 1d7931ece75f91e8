// Every limit and interval of a worker, resolved: the one table that code and docs read.

export interface WorkerSettings {
  /** The least that is promised for an event. */
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /** Time between two commits. */
  readonly commitIntervalMs: number
  /** After this a commit that has not ended fails. */
  readonly commitTimeoutMs: number
  /** A log that has not answered for longer ends the process. */
  readonly brokerTimeoutMs: number
  /** How long an event may go on when its task moves away. */
  readonly drainTimeoutMs: number
  /** How long a stopping worker waits for its events. */
  readonly shutdownTimeoutMs: number
  /** One event worked on for longer ends the process. */
  readonly stallTimeoutMs: number
  /** How long a task waits for an empty queue whose partition has no known lag (KIP-695). */
  readonly taskIdleMs: number
  /** Decoded table values kept in memory, all tables of the worker together. */
  readonly cacheBytesMax: number
  readonly queueBytesMax: number
  readonly queueRecordsMax: number
  readonly fetchBytesMax: number
  readonly recordBytesMax: number
  /** Stream time never goes further than this beyond the clock. */
  readonly futureLimitMs: number
  /** Where a group that never committed begins. */
  readonly offsetReset: 'earliest' | 'latest'
  /** What happens when the next offset is gone from the log. */
  readonly onOffsetLost: 'stop' | 'earliest' | 'latest'
  /** State of a task that moved away is deleted after this. */
  readonly stateCleanupMs: number
  /** Copies of internal topics where the log has several servers; -1 leaves it to the log. */
  readonly replicationFactor: number
}

const mebibyte = 1_048_576

export const defaultSettings: WorkerSettings = {
  guarantee: 'exactly-once',
  commitIntervalMs: 100,
  commitTimeoutMs: 30_000,
  brokerTimeoutMs: 300_000,
  drainTimeoutMs: 10_000,
  shutdownTimeoutMs: 30_000,
  stallTimeoutMs: 300_000,
  taskIdleMs: 0,
  cacheBytesMax: 64 * mebibyte,
  queueBytesMax: 8 * mebibyte,
  queueRecordsMax: 10_000,
  fetchBytesMax: 64 * mebibyte,
  recordBytesMax: mebibyte,
  futureLimitMs: 3_600_000,
  offsetReset: 'earliest',
  onOffsetLost: 'stop',
  stateCleanupMs: 600_000,
  replicationFactor: -1
}

/** What no limit of ours is about: a slow disk, a loop that is late. */
const transactionSlackMs = 30_000

/**
 * The log aborts a transaction that was not ended for so long. It may be open for an interval, then
 * for an event that blocks the loop, then until a join lets the commit begin, then for the commit.
 */
export function transactionTimeoutMs(settings: WorkerSettings): number {
  const { commitIntervalMs, commitTimeoutMs, stallTimeoutMs } = settings
  return commitIntervalMs + stallTimeoutMs + 2 * commitTimeoutMs + transactionSlackMs
}

/** A member joins again when it has learned of it, and after the commit that is under way. */
export function rebalanceTimeoutMs(
  { commitTimeoutMs }: WorkerSettings,
  member: { readonly sessionTimeoutMs: number; readonly heartbeatMs: number }
): number {
  return Math.max(member.sessionTimeoutMs, commitTimeoutMs + 2 * member.heartbeatMs)
}
