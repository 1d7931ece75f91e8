// What a producer says of a batch that did not get into the log.

import { TailraceError } from '../../core/errors.ts'
import type { TopicPartition } from '../../port/transport.ts'
import type { ProduceBatch } from './produce-batch.ts'
import type { ProduceAnswer } from './produce-codec.ts'
import type { PartitionSendQueue } from './produce-partition.ts'
import { KafkaFailure, toTailraceError } from './protocol-failure.ts'

/** The broker's refusal, in its own words where it has some. */
export function refusalOf(answer: ProduceAnswer, batch: ProduceBatch): KafkaFailure {
  const [first] = answer.recordErrors
  const reason = first?.message ?? answer.message
  const details = { right: 'WRITE', ...(reason !== null && { reason }) }
  return new KafkaFailure(answer.code, placeOf(batch), details)
}

/** Says how large the record is, and how large it may be where that is known. */
export function tooLargeError(batch: ProduceBatch, bytesMax: number | undefined): TailraceError {
  const { sizeBytes } = batch
  const limit = bytesMax === undefined ? '' : `; the topic takes ${bytesMax} (max.message.bytes)`
  return new TailraceError(
    'TAILRACE_SCHEMA_TOO_LARGE',
    `a record for ${placeOf(batch)} makes a batch of ${sizeBytes} bytes${limit}`,
    {
      hint: 'Send less, or raise `max.message.bytes` of the topic.',
      isDefinite: !batch.isUncertain,
      context: { ...batch.at }
    }
  )
}

/** Definite unless an attempt that got no answer may have put the batch into the log. */
export function rejection(batch: ProduceBatch, error: unknown): TailraceError {
  const told = toTailraceError(error, `${recordsOf(batch)} could not be sent`)
  const { topic, partition } = batch.at
  return new TailraceError(told.code, told.sentence, {
    hint: told.hint,
    cause: told.cause ?? error,
    isDefinite: told.isDefinite && !batch.isUncertain,
    context: { topic, partition, ...told.context }
  })
}

export function expiredError(
  batch: ProduceBatch,
  queue: PartitionSendQueue,
  { deliveryTimeoutMs }: { readonly deliveryTimeoutMs: number }
): TailraceError {
  const where = `${recordsOf(batch)} for ${placeOf(batch)}`
  return new TailraceError(
    'TAILRACE_TRANSPORT_UNAVAILABLE',
    `${where} could not be sent within ${deliveryTimeoutMs} ms${lastOf(queue)}`,
    { isDefinite: !batch.isUncertain, cause: queue.lastFailure, context: { ...batch.at } }
  )
}

/** At-least-once has no epoch that the broker checks: it stops itself (design §8). */
export function fencedByTime(batch: ProduceBatch): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_FENCED',
    `${recordsOf(batch)} for ${placeOf(batch)} were not sent: the membership they belong to may ` +
      'have expired',
    { isDefinite: !batch.isUncertain, context: { ...batch.at } }
  )
}

/** It is in the log, and whoever reads on from there cannot be told where that is. */
export function unplacedError({ partition, topic }: TopicPartition): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_UNAVAILABLE',
    `the broker has a batch of ${topic}/${partition} already, and no longer knows its offset`
  )
}

function lastOf({ lastFailure }: PartitionSendQueue): string {
  return lastFailure instanceof Error ? `; the last attempt: ${lastFailure.message}` : ''
}

function recordsOf({ recordCount }: ProduceBatch): string {
  return recordCount === 1 ? 'a record' : `${recordCount} records`
}

function placeOf({ at: { topic, partition } }: ProduceBatch): string {
  return `${topic}/${partition}`
}
