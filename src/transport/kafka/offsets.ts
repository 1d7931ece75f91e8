// Asks the leaders of many partitions for one kind of offset each, in one round.

import type { TopicPartition } from '../../port/transport.ts'
import type { Cluster } from './cluster.ts'
import { listOffsetsV7, offsetForLeaderEpochV4 } from './library.ts'
import type { PartitionLeader } from './metadata.ts'
import { KafkaFailure, local, throwIf } from './protocol-failure.ts'

/** In place of a timestamp: the first offset that can be read, and the next that is written. */
export const earliest = -2
export const latest = -1

export interface FoundOffset extends TopicPartition {
  /** -1 when no record is that young. */
  readonly offset: number
  /** Of the partition's leader when it answered. */
  readonly leaderEpoch: number
}

const consumer = -1
const readUncommitted = 0

/** In the order asked for; moves of leaders are waited out. */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestamp: number
): Promise<readonly FoundOffset[]> {
  return cluster.retry('listing offsets', async () => {
    const byBroker = new Map<number, Asked[]>()
    for (const partition of partitions) {
      const leader = await cluster.leader(partition)
      const asked = byBroker.get(leader.broker) ?? []
      asked.push({ ...partition, leader })
      byBroker.set(leader.broker, asked)
    }
    const answers = await Promise.all(
      [...byBroker].map(([broker, asked]) => askBroker(cluster, broker, asked, timestamp))
    )
    const found = new Map(answers.flat().map((one) => [keyOf(one), one]))
    return partitions.map((one) => {
      const answer = found.get(keyOf(one))
      if (answer !== undefined) return answer
      throw new KafkaFailure(local.unreadable, `the offset of ${keyOf(one)}`)
    })
  })
}

interface Asked extends TopicPartition {
  readonly leader: PartitionLeader
}

async function askBroker(
  cluster: Cluster,
  broker: number,
  asked: readonly Asked[],
  timestamp: number
): Promise<readonly FoundOffset[]> {
  const link = await cluster.link(broker, 'control')
  const topics = new Map<string, Asked[]>()
  for (const one of asked) topics.set(one.topic, [...(topics.get(one.topic) ?? []), one])
  const request = [...topics].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ partition, leader }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: leader.leaderEpoch,
      timestamp: BigInt(timestamp)
    }))
  }))
  const answer = await link.call(listOffsetsV7.api, consumer, readUncommitted, request)
  const epochs = new Map(asked.map((one) => [keyOf(one), one.leader.leaderEpoch]))
  return answer.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex: partition, errorCode, offset }) => {
      if (errorCode !== 0) cluster.outdated([topic])
      throwIf(errorCode, `listing offsets of ${topic}/${partition}`)
      const leaderEpoch = epochs.get(keyOf({ topic, partition })) ?? -1
      return { topic, partition, offset: Number(offset), leaderEpoch }
    })
  )
}

/** Where the records of an epoch end (KIP-320); undefined where the leader does not know it. */
export async function endOfEpoch(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  leaderEpoch: number
): Promise<number | undefined> {
  if (leaderEpoch < 0) return undefined
  const what = `the end of epoch ${leaderEpoch} of ${topic}/${partition}`
  return cluster.retry(what, async () => {
    const leader = await cluster.leader({ topic, partition })
    const link = await cluster.link(leader.broker, 'control')
    const asked = { partitionIndex: partition, currentLeaderEpoch: leader.leaderEpoch, leaderEpoch }
    const api = offsetForLeaderEpochV4.api
    const answer = await link.call(api, consumer, [{ name: topic, partitions: [asked] }])
    const found = answer.topics[0]?.partitions[0]
    if (found === undefined) throw new KafkaFailure(local.unreadable, what)
    if (found.errorCode !== 0) cluster.outdated([topic])
    throwIf(found.errorCode, what)
    return found.leaderEpoch < 0 ? undefined : Number(found.endOffset)
  })
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
