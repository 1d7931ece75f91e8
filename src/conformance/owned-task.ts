// A task that a case may write for: owned by a member, so that its commits are accepted.

import assert from 'node:assert/strict'
import type { OutgoingRecord, TaskCommit, TopicPartition } from '../port/transport.ts'
import { joinGroup } from './group-member.ts'
import type { TransportScene } from './transport-scene.ts'
import { taskOf } from './transport-scene.ts'

export interface OwnedSource {
  readonly source: TopicPartition
  readonly task: string
  /** The commit of an offset of the source, with the proof of ownership. */
  readonly commit: (offset: number, metadata?: string) => TaskCommit
}

/** A joined member that owns the one task of a fresh source topic. */
export async function ownedTask(scene: TransportScene): Promise<OwnedSource> {
  const topic = await scene.topic()
  const spec = taskOf(0, topic)
  const member = await joinGroup(scene, 'member', [spec], {
    coordinator: await scene.transport.coordinator(),
    // No case here is about expiry, and none beats.
    sessionTimeoutMs: 30_000
  })
  await member.beat()
  assert.deepEqual(member.taskIds(), [spec.id])
  const source = { topic, partition: 0 }
  const commit = (offset: number, metadata?: string): TaskCommit =>
    member.commitOf(spec.id, source, offset, metadata)
  return { source, task: spec.id, commit }
}

/** Writes records in one transaction, so that they come to stand in one batch for a partition. */
export async function sendTogether(
  scene: TransportScene,
  { task, commit }: OwnedSource,
  records: readonly OutgoingRecord[]
): Promise<void> {
  const producer = await scene.transport.transactionalProducer(scene.named('together'))
  await producer.begin()
  for (const one of records) producer.append(task, one)
  producer.commitOffsets(commit(0))
  await producer.end()
  await producer.close()
}
