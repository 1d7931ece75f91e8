// Counts what happens in a worker; each number has one name, here.

/** Grow only, since the worker started. */
export interface Counters {
  /** Source records finished, whatever became of them. */
  finished: number
  /** Tries of events that failed. */
  failures: number
  retries: number
  skipped: number
  deadLettered: number
  /** Events that a filter dropped. */
  filtered: number
  /** Writes that came too late for their window. */
  late: number
  /** Records sent as part of events, changelogs not counted. */
  outputs: number
  changelogRecords: number
  commits: number
  /** Commits that failed or whose outcome was unknown: tasks began again at their last one. */
  restarts: number
  rebalances: number
  restoredRecords: number
  /** Records that were gone from the log before they could be read. */
  lostRecords: number
}

export function newCounters(): Counters {
  return {
    finished: 0,
    failures: 0,
    retries: 0,
    skipped: 0,
    deadLettered: 0,
    filtered: 0,
    late: 0,
    outputs: 0,
    changelogRecords: 0,
    commits: 0,
    restarts: 0,
    rebalances: 0,
    restoredRecords: 0,
    lostRecords: 0
  }
}
