// What producers ask of the brokers: a seam, so that tests can stand in for all of them.

import type { TopicPartition } from '../../port/transport.ts'

/** A connection to one broker. */
export interface ProduceLink {
  readonly broker: number
  readonly isOpen: boolean
  /** The versions of each request that this broker answers. */
  readonly versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>
  /** Finalized features of the cluster and their level. */
  readonly features: ReadonlyMap<string, number>
  /** Sends a body that is encoded already; answers the body after the header. */
  request(
    key: number,
    version: number,
    body: readonly Uint8Array[],
    options?: { readonly timeoutMs?: number }
  ): Promise<Buffer>
}

/** Each purpose has a connection of its own: a large batch must not hold up a commit. */
export type ProducePurpose = 'produce' | 'transaction'

export interface ProduceCluster {
  link(broker: number, purpose: ProducePurpose): Promise<ProduceLink>
  any(purpose: ProducePurpose): Promise<ProduceLink>
  coordinator(
    kind: 'group' | 'transaction',
    key: string,
    purpose: ProducePurpose
  ): Promise<ProduceLink>
  forgetCoordinator(kind: 'group' | 'transaction', key: string): void
  /** @throws TAILRACE_TRANSPORT_UNKNOWN_TOPIC */
  leader(partition: TopicPartition): Promise<Leader>
  /** `leader` asks anew before it answers again. */
  outdated(topics: readonly string[]): void
}

export interface Leader {
  readonly broker: number
  readonly leaderEpoch: number
}
