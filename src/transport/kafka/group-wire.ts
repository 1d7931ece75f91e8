// The five requests of group membership, each to the broker that coordinates the group now.

import type { Cluster } from './cluster.ts'
import {
  findCoordinatorV4,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  syncGroupV5
} from './library.ts'
import { failure, kafka } from './protocol-failure.ts'

/** Kafka's type of group whose members group tools can read. */
const protocolType = 'consumer'
/** Our way to share out tasks: members of another way are refused by the broker. */
const protocolName = 'tailrace'

/** Who asks. */
export interface Asker {
  readonly group: string
  readonly memberId: string
  readonly instanceId: string | undefined
}

export interface JoinQuestion extends Asker {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly subscription: Buffer
}

export interface JoinReply {
  readonly errorCode: number
  readonly memberId: string
  readonly generation: number
  readonly isLeader: boolean
  /** The leader came back, and what it once shared out still holds. */
  readonly isSharedOut: boolean
  /** All of the group, for its leader. */
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | undefined
    readonly subscription: Buffer
  }[]
}

export interface SyncQuestion extends Asker {
  readonly generation: number
  /** Of all members, by the leader. */
  readonly given: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

export interface SyncReply {
  readonly errorCode: number
  readonly assignment: Buffer
}

/** How a member talks to its group. A refusal is an answer; what throws was not answered. */
export interface GroupWire {
  join(question: JoinQuestion): Promise<JoinReply>
  sync(question: SyncQuestion): Promise<SyncReply>
  heartbeat(question: Asker & { readonly generation: number }): Promise<number>
  /** By a connection of its own: a join that is under way holds up the other. */
  leave(question: Asker): Promise<number>
  /** As `leave`; resolves when the coordinator answers at all. */
  reach(group: string): Promise<void>
}

/** Of what is coordinated, as FindCoordinator names it. */
const groupKey = 0
/** Beyond the time that a broker may take over an answer. */
const graceMs = 10_000

export class KafkaGroupWire implements GroupWire {
  readonly #cluster: Cluster
  readonly #heartbeatMs: number

  constructor(cluster: Cluster, limits: { readonly heartbeatMs: number }) {
    this.#cluster = cluster
    this.#heartbeatMs = limits.heartbeatMs
  }

  async join(question: JoinQuestion): Promise<JoinReply> {
    const { group, instanceId, memberId, rebalanceTimeoutMs, sessionTimeoutMs } = question
    const link = await this.#cluster.coordinator('group', group, 'group')
    const answer = await link.callWithin(
      Math.max(rebalanceTimeoutMs, sessionTimeoutMs) + graceMs,
      joinGroupV9.api,
      group,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId,
      instanceId ?? null,
      protocolType,
      [{ name: protocolName, metadata: question.subscription }],
      null
    )
    return {
      errorCode: this.#heed(group, answer.errorCode),
      memberId: answer.memberId,
      generation: answer.generationId,
      isLeader: answer.errorCode === kafka.none && answer.leader === answer.memberId,
      isSharedOut: answer.skipAssignment,
      members: (answer.members ?? []).map((one) => ({
        memberId: one.memberId,
        instanceId: one.groupInstanceId ?? undefined,
        subscription: one.metadata
      }))
    }
  }

  async sync({ generation, given, group, instanceId, memberId }: SyncQuestion): Promise<SyncReply> {
    const link = await this.#cluster.coordinator('group', group, 'group')
    const answer = await link.call(
      syncGroupV5.api,
      group,
      generation,
      memberId,
      instanceId ?? null,
      protocolType,
      protocolName,
      [...given]
    )
    return {
      errorCode: this.#heed(group, answer.errorCode),
      assignment: answer.assignment
    }
  }

  async heartbeat(question: Asker & { readonly generation: number }): Promise<number> {
    const { generation, group, instanceId, memberId } = question
    const link = await this.#cluster.coordinator('group', group, 'group')
    const limitMs = Math.max(this.#heartbeatMs, graceMs)
    const answer = await link.callWithin(
      limitMs,
      heartbeatV4.api,
      group,
      generation,
      memberId,
      instanceId ?? null
    )
    return this.#heed(group, answer.errorCode)
  }

  async leave({ group, instanceId, memberId }: Asker): Promise<number> {
    const link = await this.#cluster.coordinator('group', group, 'control')
    const answer = await link.call(leaveGroupV5.api, group, [
      { memberId, groupInstanceId: instanceId ?? null, reason: 'the worker stopped' }
    ])
    return this.#heed(group, answer.errorCode)
  }

  async reach(group: string): Promise<void> {
    const link = await this.#cluster.coordinator('group', group, 'control')
    await link.call(findCoordinatorV4.api, groupKey, [group])
  }

  #heed(group: string, errorCode: number): number {
    if (errorCode === kafka.notCoordinator || errorCode === kafka.coordinatorNotAvailable) {
      this.#cluster.forgetCoordinator('group', group)
    }
    return errorCode
  }
}

/** Takes a static member out in its absence: its tasks are free at once, not after its session. */
export function evictMember(
  cluster: Cluster,
  { group, instanceId }: { readonly group: string; readonly instanceId: string }
): Promise<number> {
  return cluster.retry('evicting', async () => {
    const link = await cluster.coordinator('group', group, 'control')
    const reason = 'taken out by hand'
    const answer = await link.call(leaveGroupV5.api, group, [
      { memberId: '', groupInstanceId: instanceId, reason }
    ])
    const code = answer.errorCode || (answer.members[0]?.errorCode ?? 0)
    const refused = failure(code, `group ${JSON.stringify(group)}`)
    if (refused.isCoordinatorMoved) cluster.forgetCoordinator('group', group)
    if (refused.isRetriable) throw refused
    return code
  })
}
