// The offsets that a group has committed; those of a transaction under way are waited for.

import type { CommittedOffset, TopicPartition } from '../../port/transport.ts'
import type { Cluster } from './cluster.ts'
import { offsetFetchV8 } from './library.ts'
import { KafkaFailure, throwIf } from './protocol-failure.ts'

/** A transaction that neither ends nor is given up takes at most its timeout. */
const unstableMsMax = 60_000

export async function committedOffsets(
  cluster: Cluster,
  group: string,
  partitions: readonly TopicPartition[]
): Promise<readonly CommittedOffset[]> {
  const topics = Map.groupBy(partitions, ({ topic }) => topic)
  const wanted = [...topics].map(([name, ofTopic]) => ({
    name,
    partitionIndexes: ofTopic.map(({ partition }) => partition)
  }))
  const what = `reading the offsets of group ${group}`
  const ask = async (): Promise<readonly CommittedOffset[]> => {
    const link = await cluster.coordinator('group', group, 'control')
    const request = [{ groupId: group, memberEpoch: -1, topics: wanted }]
    const answer = await link.call(offsetFetchV8.api, request, true)
    const [found] = answer.groups
    throwIf(found?.errorCode ?? 0, what)
    return (found?.topics ?? []).flatMap(({ name: topic, partitions: ofTopic }) =>
      ofTopic.flatMap(({ partitionIndex: partition, ...one }) => {
        throwIf(one.errorCode, what)
        const offset = Number(one.committedOffset)
        if (offset < 0) return []
        const epoch = one.committedLeaderEpoch
        const known = epoch < 0 ? {} : { leaderEpoch: epoch }
        return [{ topic, partition, offset, metadata: one.metadata ?? '', ...known }]
      })
    )
  }
  const attempt = async (): Promise<readonly CommittedOffset[]> => {
    try {
      return await ask()
    } catch (error) {
      const isMoved = error instanceof KafkaFailure && error.isCoordinatorMoved
      if (isMoved) cluster.forgetCoordinator('group', group)
      throw error
    }
  }
  return cluster.retry(what, attempt, { timeoutMs: unstableMsMax })
}
