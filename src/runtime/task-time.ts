// Data plane. Stream time of a task: as the open record sees it, and as finished records left it.

export class TaskTime {
  /** Highest event time of finished records; what a commit keeps. */
  finished: number = Number.NEGATIVE_INFINITY
  /** The same with the open record counted in; what windows are judged by. */
  current: number = Number.NEGATIVE_INFINITY

  open(timestamp: number): void {
    if (timestamp > this.current) this.current = timestamp
  }

  finish(): void {
    this.finished = this.current
  }

  restore(streamTime: number): void {
    this.finished = Math.max(this.finished, streamTime)
    this.current = this.finished
  }
}
