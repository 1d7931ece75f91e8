// Data plane. What of a record is refused where it is sent, and not by the log when it commits: a
// refusal there fails all that was to be committed, a refusal here its own event.
import { formatDuration } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import type { RecordHeader } from '../core/record-batch.ts'
import type { Clock } from '../port/clock.ts'
import type { TopicLimits } from '../port/transport.ts'

export interface LimitedRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestamp: number
  /** @default none that count: those of a record that is only sent on */
  readonly headers?: readonly RecordHeader[]
}

export interface RecordLimitsParts {
  readonly clock: Clock
  readonly recordBytesMax: number
  readonly limitsOf: (topic: string) => TopicLimits | undefined
}

/** Of a batch that holds one record, beyond key, value and headers. */
const batchBytes = 120
const headerBytes = 10

export class RecordLimits {
  readonly #parts: RecordLimitsParts
  #nowMs = Number.NEGATIVE_INFINITY

  constructor(parts: RecordLimitsParts) {
    this.#parts = parts
  }

  /** @throws TAILRACE_SCHEMA_TOO_LARGE, TAILRACE_TRANSPORT_REFUSED */
  check(topic: string, record: LimitedRecord): void {
    const bytes = bytesOf(record)
    const { recordBytesMax } = this.#parts
    if (bytes > recordBytesMax) throw tooLarge(topic, bytes, ['recordBytesMax', recordBytesMax])
    this.#checkTopic(topic, record, bytes)
  }

  /** As `check`, of a record that is as large as somebody else made it. */
  checkPassedOn(topic: string, record: LimitedRecord): void {
    this.#checkTopic(topic, record, bytesOf(record))
  }

  #checkTopic(topic: string, { headers, timestamp }: LimitedRecord, bytes: number): void {
    const limits = this.#parts.limitsOf(topic)
    if (limits === undefined) return
    const { batchBytesMax } = limits
    const aroundBytes = batchBytes + headerBytes * (headers?.length ?? 0)
    if (batchBytesMax !== undefined && bytes + aroundBytes > batchBytesMax) {
      throw tooLarge(topic, bytes, ['max.message.bytes of the topic', batchBytesMax])
    }
    this.#checkTime(topic, timestamp, limits)
  }

  /** Bytes of a row and its key that a changelog takes. */
  rowBytesMax(changelog: string): number {
    const { limitsOf, recordBytesMax } = this.#parts
    const { batchBytesMax = Number.POSITIVE_INFINITY } = limitsOf(changelog) ?? {}
    return Math.min(recordBytesMax, batchBytesMax - batchBytes)
  }

  #checkTime(topic: string, timestamp: number, limits: TopicLimits): void {
    const { aheadMsMax, behindMsMax } = limits
    if (aheadMsMax === undefined && behindMsMax === undefined) return
    // Time goes on: what was not too far ahead of an earlier moment is not so now.
    const isNear = aheadMsMax === undefined || timestamp - this.#nowMs <= aheadMsMax
    if (isNear && behindMsMax === undefined) return
    this.#nowMs = this.#parts.clock.now()
    const aheadMs = timestamp - this.#nowMs
    if (aheadMsMax !== undefined && aheadMs > aheadMsMax) {
      throw refusedTime(topic, timestamp, ['ahead of', aheadMsMax, 'after'])
    }
    if (behindMsMax !== undefined && -aheadMs > behindMsMax) {
      throw refusedTime(topic, timestamp, ['behind', behindMsMax, 'before'])
    }
  }
}

function bytesOf({ headers, key, value }: LimitedRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  if (headers === undefined) return bytes
  for (const header of headers) bytes += header.key.length + (header.value?.length ?? 0)
  return bytes
}

function tooLarge(topic: string, bytes: number, [name, limit]: [string, number]): TailraceError {
  const message = `a record for "${topic}" has ${bytes} bytes; the limit (${name}) is ${limit}`
  return new TailraceError('TAILRACE_SCHEMA_TOO_LARGE', message, {
    isDefinite: true,
    context: { topic },
    ...(name !== 'recordBytesMax' && {
      hint: 'Send less (a reference instead of the thing), or raise `max.message.bytes`.'
    })
  })
}

function refusedTime(
  topic: string,
  timestamp: number,
  [side, limitMs, name]: [side: string, limitMs: number, name: string]
): TailraceError {
  const time = new Date(timestamp)
  const said = Number.isNaN(time.getTime()) ? String(timestamp) : time.toISOString()
  return new TailraceError(
    'TAILRACE_TRANSPORT_REFUSED',
    `a record for "${topic}" is of ${said}, more than ${formatDuration(limitMs)} ${side} now, ` +
      'and its topic takes none that is',
    {
      hint: `Give it another timestamp, or raise \`message.timestamp.${name}.max.ms\`.`,
      isDefinite: true,
      context: { topic }
    }
  )
}
