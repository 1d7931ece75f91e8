// Which partitions are part of the open transaction: nothing is written to one that is not.

import type { Clock } from '../../port/clock.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import type { ProduceCluster } from './produce-cluster.ts'
import type { PartitionSendQueue } from './produce-partition.ts'
import { patiently } from './produce-patience.ts'
import type { TransactionCoordinator } from './transaction-coordinator.ts'

export interface AdmissionParts {
  readonly clock: Clock
  readonly cluster: ProduceCluster
  readonly coordinator: TransactionCoordinator
  /** How long leaders that are not known are asked for. */
  readonly patienceMs: number
  /** The partition may be written to from now on. */
  readonly admitted: (queue: PartitionSendQueue) => void
  readonly failed: (error: unknown) => void
}

export class TransactionAdmission {
  /** The coordinator may know of this transaction: it has to be ended. */
  isStarted = false
  readonly #parts: AdmissionParts
  readonly #inside = new Set<PartitionSendQueue>()
  #asked = new Set<PartitionSendQueue>()
  #isAsking = false
  /** Counts transactions: an answer may come after its own was given up. */
  #round = 0
  #identity: ProducerIdentity

  constructor(parts: AdmissionParts) {
    this.#parts = parts
    this.#identity = parts.coordinator.identity
  }

  /** The next transaction begins. Answers whether its identity is another than the last one's. */
  begin(identity: ProducerIdentity): boolean {
    const isAnother = identity !== this.#identity
    this.#identity = identity
    this.isStarted = false
    this.#inside.clear()
    this.#asked = new Set()
    this.#round++
    return isAnother
  }

  /** Something will be written there: asked for at once, while the batch still fills. */
  announce(queue: PartitionSendQueue): void {
    if (this.#parts.coordinator.isImplicit || this.#inside.has(queue)) return
    this.#asked.add(queue)
    void this.#askSoon()
  }

  isAdmitted(queue: PartitionSendQueue): boolean {
    if (this.#parts.coordinator.isImplicit) {
      // By being written to.
      this.isStarted = true
      return true
    }
    return this.#inside.has(queue)
  }

  // All that comes up in one turn of the loop is one request.
  async #askSoon(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    await this.#parts.clock.turn()
    while (this.#asked.size > 0) {
      const queues = [...this.#asked]
      const round = this.#round
      this.#asked = new Set()
      try {
        await this.#add(queues, round)
      } catch (error) {
        if (round === this.#round) this.#parts.failed(error)
        continue
      }
      if (round !== this.#round) continue
      for (const queue of queues) this.#inside.add(queue)
      for (const queue of queues) this.#parts.admitted(queue)
    }
    this.#isAsking = false
  }

  async #add(queues: readonly PartitionSendQueue[], round: number): Promise<void> {
    const { clock, cluster, coordinator, patienceMs: timeoutMs } = this.#parts
    const isOver = (): boolean => coordinator.isClosed || round !== this.#round
    // The coordinator would be asked again and again about a topic that does not exist.
    await patiently({ clock, timeoutMs, isOver }, () =>
      Promise.all(queues.map((queue) => cluster.leader(queue)))
    )
    this.isStarted = true
    await coordinator.addPartitions(queues)
  }
}
