// Tests of what is believed of leaders when answers differ.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetadataTopic } from './metadata.ts'
import { Metadata } from './metadata.ts'
import { kafka, local } from './protocol-failure.ts'

function topic(id: string, ...leaders: readonly (readonly [number, number])[]): MetadataTopic {
  const partitions = leaders.map(([leaderId, leaderEpoch], partitionIndex) => {
    return { partitionIndex, leaderId, leaderEpoch, replicaNodes: [1], isrNodes: [1] }
  })
  return {
    errorCode: 0,
    name: 't',
    topicId: id,
    isInternal: false,
    topicAuthorizedOperations: 0,
    partitions
  }
}

const brokers = [1, 2].map((nodeId) => ({ nodeId, host: 'h', port: nodeId }))

function told(...topics: readonly MetadataTopic[]): Metadata {
  const metadata = new Metadata()
  for (const one of topics) metadata.apply({ brokers, controllerId: 1, topics: [one] })
  return metadata
}

const at = { topic: 't', partition: 0 }

test('leaders, names and addresses are known from an answer', () => {
  const metadata = told(topic('id', [1, 4], [2, 7]))
  assert.deepEqual(metadata.leader({ topic: 't', partition: 1 }), {
    broker: 2,
    leaderEpoch: 7,
    topicId: 'id'
  })
  assert.equal(metadata.topicName('id'), 't')
  assert.deepEqual(metadata.address(2), { host: 'h', port: 2 })
})

test('an answer that is behind does not take a newer leader back', () => {
  assert.equal(told(topic('id', [2, 5]), topic('id', [1, 4])).leader(at)?.broker, 2)
})

test('a topic made again begins anew, whatever its epochs were', () => {
  assert.equal(told(topic('id', [2, 5]), topic('new', [1, 0])).leader(at)?.broker, 1)
})

test('what is outdated is not answered until it was asked for again', () => {
  const metadata = told(topic('id', [1, 4]))
  metadata.outdated(['t'])
  assert.equal(metadata.leader(at), undefined)
  metadata.learnLeader(at, { broker: 2, leaderEpoch: 5 })
  assert.equal(metadata.leader(at)?.broker, 2)
  metadata.outdatedOf(2)
  assert.equal(metadata.leader(at), undefined)
})

test('a hint of an older epoch is not taken', () => {
  const metadata = told(topic('id', [1, 4]))
  metadata.learnLeader(at, { broker: 2, leaderEpoch: 4 })
  assert.equal(metadata.leader(at)?.broker, 1)
})

test('why there is no leader is told', () => {
  const metadata = told(topic('id', [-1, 4]))
  assert.equal(metadata.errorOf(at), local.noLeader)
  assert.equal(metadata.errorOf({ topic: 't', partition: 1 }), kafka.unknownTopicOrPartition)
  metadata.apply({ brokers, controllerId: 1, topics: [{ ...topic('id'), errorCode: 29 }] })
  assert.equal(metadata.errorOf(at), 29)
})
