// Data plane. Which record is next: the smallest timestamp, as far as queues can tell (KIP-695).
import type { PartitionQueue } from './partition-queue.ts'

export interface QueueChoice {
  /** Index of the queue with the next record; -1 to wait. */
  readonly index: number
  /** Some other queue is empty with nothing known to come: the choice may be early. */
  readonly hasIdle: boolean
}

const wait: QueueChoice = { index: -1, hasIdle: false }
const firstOnly: QueueChoice = { index: 0, hasIdle: false }

export function chooseQueue(queues: readonly PartitionQueue[]): QueueChoice {
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
