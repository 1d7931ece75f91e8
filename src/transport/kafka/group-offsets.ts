// The offsets of a group's tasks: one request for all of them, checked by member and generation.

import type { CommittedOffset, GroupMember, TaskCommit } from '../../port/transport.ts'
import { WireWriter } from './produce-wire.ts'
import { byTopic, type TransactionRef } from './transaction-codec.ts'

/** What one member commits for a group. */
export interface GroupOffsets {
  readonly group: string
  /** Undefined where nobody is a member: tools, and groups that only keep offsets. */
  readonly member: GroupMember | undefined
  readonly offsets: readonly CommittedOffset[]
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
  return [...groups.values()].map(({ commit: { group, member }, offsets }) => {
    return { group, member, offsets }
  })
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
    writer.list(ofTopic, ({ metadata, offset, partition }) => {
      // Whose epoch an offset belongs to is the reader's concern: its position knows it.
      writer.int32(partition).int64(offset).int32(-1).text(metadata).end()
    })
    writer.end()
  })
}
