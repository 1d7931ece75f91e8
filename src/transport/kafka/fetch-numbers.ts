// Names for the connections of fetchers: each lane has its own, and a number is used again.

import type { Cluster } from './cluster.ts'

export class LaneNumbers {
  readonly #free: number[] = []
  #count = 0

  take(): number {
    return this.#free.pop() ?? this.#count++
  }

  giveBack(number: number): void {
    this.#free.push(number)
  }
}

const byCluster = new WeakMap<Cluster, LaneNumbers>()

/** The numbers of one cluster: its connections are told apart by them. */
export function lanesOf(cluster: Cluster): LaneNumbers {
  let numbers = byCluster.get(cluster)
  if (numbers === undefined) {
    numbers = new LaneNumbers()
    byCluster.set(cluster, numbers)
  }
  return numbers
}
