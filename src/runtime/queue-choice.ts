// Data plane. Which record is next: the smallest timestamp, as far as queues can tell (KIP-695).
import type { Cancel } from '../port/clock.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { TaskHost } from './task-host.ts'

export interface QueueChoice {
  /** Index of the queue with the next record; -1 to wait. */
  readonly index: number
  /** Some other queue is empty with nothing known to come: the choice may be early. */
  readonly hasIdle: boolean
}

const wait: QueueChoice = { index: -1, hasIdle: false }
const firstOnly: QueueChoice = { index: 0, hasIdle: false }

function chooseQueue(queues: readonly PartitionQueue[]): QueueChoice {
  if (queues.length === 1) return queues[0]?.peek() === true ? firstOnly : wait
  let index = -1
  let smallest = Number.POSITIVE_INFINITY
  let hasIdle = false
  for (let at = 0; at < queues.length; at++) {
    const queue = queues[at] as PartitionQueue
    if (queue.peek()) {
      if (queue.cursor.timestamp < smallest || index < 0) {
        smallest = queue.cursor.timestamp
        index = at
      }
    } else if (!queue.isAnswered || queue.lag > 0) {
      // Records are on their way that may be older than what the others hold.
      return wait
    } else {
      hasIdle = true
    }
  }
  return { index, hasIdle }
}

/** For a task, which may give empty queues a moment (`taskIdle`). */
export class QueueChooser {
  readonly #queues: readonly PartitionQueue[]
  readonly #host: Pick<TaskHost, 'clock' | 'taskIdleMs'>
  /** The moment is over. */
  readonly #again: () => void
  #cancelWait: Cancel = () => undefined
  #idleSinceMs: number | undefined

  constructor(
    queues: readonly PartitionQueue[],
    host: Pick<TaskHost, 'clock' | 'taskIdleMs'>,
    again: () => void
  ) {
    this.#queues = queues
    this.#host = host
    this.#again = again
  }

  /** Index of the queue with the next record; -1 to wait. */
  choose(): number {
    const choice = chooseQueue(this.#queues)
    if (choice.index < 0 || !choice.hasIdle) {
      this.#idleSinceMs = undefined
      return choice.index
    }
    const { clock, taskIdleMs } = this.#host
    if (taskIdleMs === 0) return choice.index
    const now = clock.monotonic()
    this.#idleSinceMs ??= now
    const left = this.#idleSinceMs + taskIdleMs - now
    if (left <= 0) return choice.index
    this.cancel()
    this.#cancelWait = clock.schedule(left, this.#again)
    return -1
  }

  cancel(): void {
    this.#cancelWait()
  }
}
