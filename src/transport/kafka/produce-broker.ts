// Data plane. Requests to one broker: up to five under way, one batch of a partition in each.

import type { ProduceBatch } from './produce-batch.ts'
import type { ProduceCluster, ProduceLink } from './produce-cluster.ts'
import { encodeProduce, produceKey } from './produce-codec.ts'
import { inFlightMax, type PartitionSendQueue } from './produce-partition.ts'

/** A batch on its way, with the queue it came from. */
export interface SentBatch {
  readonly queue: PartitionSendQueue
  readonly batch: ProduceBatch
}

export interface BrokerSenderParts {
  readonly broker: number
  readonly cluster: ProduceCluster
  readonly version: number
  readonly transactionalId: string | null
  readonly requestTimeoutMs: number
  readonly requestBytesMax: number
  /** The queue may send right now; what is overdue was taken out of it. */
  readonly mayGo: (queue: PartitionSendQueue) => boolean
  readonly answered: (sent: readonly SentBatch[], answer: Buffer) => void
  readonly lost: (sent: readonly SentBatch[], error: unknown) => void
  /** The broker cannot be reached: these queues have to look for their leader again. */
  readonly unreachable: (queues: readonly PartitionSendQueue[], error: unknown) => void
}

/** How much longer an answer is waited for than the broker was given. */
const answerGraceMs = 5_000

export class BrokerSender {
  readonly #parts: BrokerSenderParts
  readonly #ready = new Set<PartitionSendQueue>()
  #link: ProduceLink | undefined
  #isConnecting = false
  #inFlight = 0

  constructor(parts: BrokerSenderParts) {
    this.#parts = parts
  }

  /** The queue has something to send; `pump` sends it. */
  offer(queue: PartitionSendQueue): void {
    this.#ready.add(queue)
  }

  pump(): void {
    while (this.#inFlight < inFlightMax && this.#ready.size > 0) {
      if (this.#link?.isOpen !== true) {
        this.#connect()
        return
      }
      const sent = this.#gather()
      if (sent.length === 0) return
      this.#send(this.#link, sent)
    }
  }

  #connect(): void {
    if (this.#isConnecting) return
    this.#isConnecting = true
    const { broker, cluster, unreachable } = this.#parts
    cluster
      .link(broker, 'produce')
      .then(
        (link) => {
          this.#link = link
        },
        (error: unknown) => {
          const queues = [...this.#ready]
          this.#ready.clear()
          unreachable(queues, error)
        }
      )
      .finally(() => {
        this.#isConnecting = false
        this.pump()
      })
  }

  // Queues that have more stand at the end for the next request, so that none starves another.
  #gather(): readonly SentBatch[] {
    const { mayGo, requestBytesMax } = this.#parts
    const sent: SentBatch[] = []
    const more: PartitionSendQueue[] = []
    let bytes = 0
    for (const queue of this.#ready) {
      if (!mayGo(queue)) {
        this.#ready.delete(queue)
        continue
      }
      bytes += queue.head?.sizeBytes ?? 0
      if (bytes > requestBytesMax && sent.length > 0) break
      this.#ready.delete(queue)
      const batch = queue.take()
      if (batch === undefined) continue
      sent.push({ queue, batch })
      if (queue.isReady) more.push(queue)
    }
    for (const queue of more) this.#ready.add(queue)
    return sent
  }

  #send(link: ProduceLink, sent: readonly SentBatch[]): void {
    const { answered, lost, requestTimeoutMs, transactionalId, version } = this.#parts
    const body = encodeProduce({
      transactionalId,
      timeoutMs: requestTimeoutMs,
      entries: sent.map(({ batch, queue }) => ({
        topic: queue.topic,
        partition: queue.partition,
        bytes: batch.bytes
      }))
    })
    this.#inFlight++
    link
      .request(produceKey, version, body, { timeoutMs: requestTimeoutMs + answerGraceMs })
      .then(
        (answer) => answered(sent, answer),
        (error: unknown) => lost(sent, error)
      )
      .finally(() => {
        this.#inFlight--
        this.pump()
      })
  }
}
