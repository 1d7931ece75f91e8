// Data plane. From what a program sends to a record of the log: validate, encode, measure, place.
import type { TopicDeclaration } from '../core/declarations.ts'
import type { UnsentRecord } from '../core/engine.ts'
import { TailraceError } from '../core/errors.ts'
import type { RecordHeader } from '../core/record-batch.ts'
import { encode, isThenable, validate } from '../core/schema.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import type { RecordLimits } from './record-limits.ts'

export interface OutgoingContext {
  readonly limits: RecordLimits
  /** Partitions of a topic. */
  readonly partitionsOf: (topic: string) => number
  /** Used when the record has no timestamp. */
  readonly timestamp: number
}

const noHeaders: readonly RecordHeader[] = []

/** Spreads records without a key: one partition after the other, for each topic. */
export class Spreader {
  readonly #next = new Map<string, number>()

  take(topic: string, partitions: number): number {
    const next = this.#next.get(topic) ?? 0
    this.#next.set(topic, next + 1)
    return next % partitions
  }
}

/**
 * The record as it will stand in the log, or a promise of it where a schema answers with one.
 *
 * @throws TAILRACE_SCHEMA_INVALID, TAILRACE_SCHEMA_ENCODE, TAILRACE_SCHEMA_TOO_LARGE,
 *   TAILRACE_SCHEMA_NULL, TAILRACE_CONFIG_INVALID for a partition that is not there
 */
export function outgoing(
  topic: TopicDeclaration,
  record: UnsentRecord,
  context: OutgoingContext,
  spreader: Spreader
): OutgoingRecord | Promise<OutgoingRecord> {
  const names = namesOf(topic)
  const given = record.key ?? null
  // Checked only: what is sent is the schema's input, which the reader's schema takes again.
  const key = validate(topic.key, given, names.key)
  const value = validate(topic.value, record.value ?? null, names.value)
  if (isThenable(key) || isThenable(value)) {
    return encodedLater([key, value], topic, record, { context, spreader, names })
  }
  return encoded(topic, record, { context, spreader, names })
}

// Apart from what needs no waiting: a closure there would cost each record its memory.
async function encodedLater(
  checks: readonly unknown[],
  topic: TopicDeclaration,
  record: UnsentRecord,
  place: EncodingPlace
): Promise<OutgoingRecord> {
  await Promise.all(checks)
  return encoded(topic, record, place)
}

interface EncodingPlace {
  readonly context: OutgoingContext
  readonly spreader: Spreader
  readonly names: Names
}

interface Names {
  readonly key: string
  readonly value: string
}

/** Kept for each topic: they are needed only where something fails, and cost more than it. */
const namesKept = new WeakMap<TopicDeclaration, Names>()

function namesOf(topic: TopicDeclaration): Names {
  const kept = namesKept.get(topic)
  if (kept !== undefined) return kept
  const record = `a record for "${topic.name}"`
  const names = { key: `the key of ${record}`, value: `the value of ${record}` }
  namesKept.set(topic, names)
  return names
}

function encoded(
  topic: TopicDeclaration,
  record: UnsentRecord,
  { context, names, spreader }: EncodingPlace
): OutgoingRecord {
  const key = encode(topic.key, record.key ?? null, names.key)
  const value = encode(topic.value, record.value, names.value)
  return placed(topic, { record, key, value }, context, spreader)
}

interface EncodedParts {
  readonly record: UnsentRecord
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

function placed(
  topic: TopicDeclaration,
  { record, key, value }: EncodedParts,
  context: OutgoingContext,
  spreader: Spreader
): OutgoingRecord {
  const headers = record.headers === undefined ? noHeaders : headersOf(record.headers)
  const partitions = context.partitionsOf(topic.name)
  const partition =
    record.partition ??
    (key === null
      ? spreader.take(topic.name, partitions)
      : topic.partitioner.partition(key, partitions))
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
    throw new TailraceError(
      'TAILRACE_CONFIG_INVALID',
      `"${topic.name}" has partitions 0 to ${partitions - 1}, and a record was sent to ${partition}`
    )
  }
  const timestamp = timestampOf(record, context.timestamp)
  context.limits.check(topic.name, { key, value, timestamp, headers })
  return { topic: topic.name, partition, key, value, timestamp, headers }
}

function timestampOf(record: UnsentRecord, otherwise: number): number {
  const { timestamp } = record
  if (timestamp === undefined) return Math.trunc(otherwise)
  // What a record batch can hold; further out, accepting the record would fail and not its event.
  const whole = Math.trunc(timestamp)
  if (Number.isSafeInteger(whole)) return whole
  throw new TailraceError(
    'TAILRACE_CONFIG_INVALID',
    `a timestamp is ${timestamp}, not a time in ms`
  )
}

function headersOf(headers: Readonly<Record<string, string | Uint8Array>>): RecordHeader[] {
  // Copied: who sends them may fill the same buffer again.
  return Object.entries(headers).map(([key, value]) => ({ key, value: Buffer.from(value) }))
}
