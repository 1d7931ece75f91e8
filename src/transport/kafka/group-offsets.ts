// The offsets of a group's tasks: one request for all of them, checked by member and generation.

import type { GroupMember } from '../../port/coordinator.ts'
import type { CommittedOffset, TaskCommit } from '../../port/transport.ts'
import { WireWriter } from './produce-wire.ts'
import { KafkaFailure } from './protocol-failure.ts'
import { byTopic, type TransactionRef } from './transaction-codec.ts'

/** What one member commits for a group. */
export interface GroupOffsets {
  readonly group: string
  /** Undefined where nobody is a member: tools, and groups that only keep offsets. */
  readonly member: GroupMember | undefined
  readonly offsets: readonly CommittedOffset[]
  /** The member in the next generation, where this one is refused. */
  readonly renewed?: TaskCommit['renewed']
}

/** The commits of all tasks, in one for each group and member. */
export function groupOffsets(commits: readonly TaskCommit[]): readonly GroupOffsets[] {
  const groups = new Map<string, { commit: TaskCommit; offsets: CommittedOffset[] }>()
  for (const commit of commits) {
    const { group, member } = commit
    if (commit.offsets.length === 0) continue
    const name = JSON.stringify([group, member?.memberId, member?.generation])
    const known = groups.get(name)
    if (known === undefined) groups.set(name, { commit, offsets: [...commit.offsets] })
    else known.offsets.push(...commit.offsets)
  }
  return [...groups.values()].map(({ commit: { group, member, renewed }, offsets }) => {
    return { group, member, offsets, ...(renewed === undefined ? {} : { renewed }) }
  })
}

/** What a group answers while it moves to its next generation, or when it has. */
const movedOn: ReadonlySet<number> = new Set([22, 27])

/** Commits once more as a member of the next generation, where the group has moved on. */
export async function commitRenewing(
  offsets: GroupOffsets,
  commit: (offsets: GroupOffsets) => Promise<void>
): Promise<void> {
  try {
    await commit(offsets)
  } catch (error) {
    if (!(error instanceof KafkaFailure) || !movedOn.has(error.code)) throw error
    const member = await offsets.renewed?.()
    if (member === undefined) throw error
    await commit({ ...offsets, member })
  }
}

export const offsetCommit = { key: 8, version: 9 } as const

export function encodeOffsetCommit({ group, member, offsets }: GroupOffsets): Buffer {
  const writer = new WireWriter().text(group)
  writeMember(writer, member)
  writeOffsets(writer, offsets)
  return writer.end().take()
}

export function encodeTransactionOffsets(
  { identity, transactionalId }: TransactionRef,
  { group, member, offsets }: GroupOffsets
): Buffer {
  const writer = new WireWriter().text(transactionalId).text(group)
  writer.bigint64(identity.id).int16(identity.epoch)
  writeMember(writer, member)
  writeOffsets(writer, offsets)
  return writer.end().take()
}

function writeMember(writer: WireWriter, member: GroupMember | undefined): void {
  writer.int32(member?.generation ?? -1).text(member?.memberId ?? '')
  writer.text(member?.instanceId ?? null)
}

function writeOffsets(writer: WireWriter, offsets: readonly CommittedOffset[]): void {
  writer.list([...byTopic(offsets)], ([topic, ofTopic]) => {
    writer.text(topic)
    writer.list(ofTopic, ({ leaderEpoch = -1, metadata, offset, partition }) => {
      writer.int32(partition).int64(offset).int32(leaderEpoch).text(metadata).end()
    })
    writer.end()
  })
}
