// What becomes of a failed event: asks the policy, and makes the dead letter if it comes to that.
import { type Decision, type Failure, type OnError, retry } from '../core/decision.ts'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { RecordHeader } from '../core/record-batch.ts'
import { isThenable } from '../core/schema.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import type { RecordPlace } from './held-record.ts'

const defaultDecision = retry()

/**
 * The decision for a failure; a promise only where the user's policy answers with one.
 *
 * @throws TAILRACE_CONFIG_INVALID, with the failure as its cause, for a policy that decides nothing
 */
export function decide(
  onError: OnError | undefined,
  failure: Failure
): Decision | Promise<Decision> {
  const policy = onError ?? defaultDecision
  if (typeof policy !== 'function') return policy
  let decision: Decision | Promise<Decision>
  try {
    decision = policy(failure)
  } catch (error) {
    throw undecided(failure, `threw: ${messageOf(error)}`)
  }
  if (!isThenable(decision)) return decided(decision, failure)
  return Promise.resolve(decision).then(
    (settled) => decided(settled, failure),
    (error: unknown) => {
      throw undecided(failure, `threw: ${messageOf(error)}`)
    }
  )
}

const kinds: readonly unknown[] = ['retry', 'dead-letter', 'skip', 'stop']

// A policy in plain JavaScript may forget to return.
function decided(decision: Decision | undefined, failure: Failure): Decision {
  if (kinds.includes(decision?.kind)) return decision as Decision
  throw undecided(failure, `answered with no decision (${typeof decision})`)
}

function undecided({ error, record }: Failure, what: string): TailraceError {
  const { offset, partition, topic } = record
  return new TailraceError(
    'TAILRACE_CONFIG_INVALID',
    `onError ${what}, for "${topic}" partition ${partition} offset ${offset}, ` +
      `where this had failed: ${messageOf(error)}`,
    {
      hint: 'Let onError return retry(), deadLetter(), skip or stop for every failure.',
      cause: error
    }
  )
}

/**
 * True for what no policy of an event can decide: the worker's own state or the log is damaged,
 * and whatever comes next would fail alike. The event is tried again at the next start.
 */
export function isBeyondEvents(error: unknown): boolean {
  if (!(error instanceof TailraceError)) return false
  const { code } = error
  return (
    code.startsWith('TAILRACE_STATE_') ||
    code.startsWith('TAILRACE_BUG_') ||
    code === 'TAILRACE_TRANSPORT_CORRUPT'
  )
}

const frozenPattern = /read only property|object is not extensible|Cannot delete property/

/** Names what the engine only says in its own words: a frozen value was changed in place. */
export function explained(error: unknown, agent: string): unknown {
  if (!(error instanceof TypeError) || !frozenPattern.test(error.message)) return error
  return new TailraceError(
    'TAILRACE_AGENT_FROZEN',
    `agent "${agent}" changed a frozen value in place: ${error.message}; ` +
      'values of events and tables are shared, and are replaced as a whole',
    { cause: error }
  )
}

/**
 * What is done now: retries that are left stand, others become what follows them.
 * Bytes that cannot be read do not get better by waiting, so they are never retried.
 */
export function settle(decision: Decision, failure: Failure, hasDeadLetter: boolean): Decision {
  if (decision.kind !== 'retry') return decision
  if (failure.stage !== 'decode' && failure.attempts <= decision.times) return decision
  const { otherwise } = decision
  if (otherwise !== undefined)
    return settle(otherwise, { ...failure, attempts: Infinity }, hasDeadLetter)
  return hasDeadLetter ? { kind: 'dead-letter', topic: undefined } : { kind: 'stop' }
}

/** The failure as the policy sees it. */
export function failureOf(
  queue: RecordPlace,
  parts: Pick<Failure, 'error' | 'stage' | 'attempts' | 'event'>
): Failure {
  const { cursor } = queue
  return {
    ...parts,
    record: {
      topic: queue.topic,
      partition: queue.partition,
      offset: BigInt(cursor.offset),
      timestamp: cursor.timestamp,
      // Whoever is told of it may keep it for longer than the record lasts.
      key: queue.keyBytes(),
      value: queue.valueBytes()
    }
  }
}

/** Key, value bytes, headers and timestamp as they were, and headers that say what happened. */
export function deadLetterOf(
  queue: RecordPlace,
  failure: Failure,
  to: { readonly topic: string; readonly partitions: number; readonly agent: string }
): OutgoingRecord {
  const { record } = failure
  const code = failure.error instanceof TailraceError ? failure.error.code : undefined
  const told: Record<string, string> = {
    '__tailrace.dlq.topic': record.topic,
    '__tailrace.dlq.partition': String(record.partition),
    '__tailrace.dlq.offset': String(record.offset),
    '__tailrace.dlq.timestamp': String(record.timestamp),
    '__tailrace.dlq.agent': to.agent,
    '__tailrace.dlq.stage': failure.stage,
    '__tailrace.dlq.attempts': String(failure.attempts),
    '__tailrace.dlq.error': messageOf(failure.error).slice(0, 1_000),
    ...(code !== undefined && { '__tailrace.dlq.code': code })
  }
  const added = Object.entries(told).map(
    ([key, value]): RecordHeader => ({ key, value: Buffer.from(value) })
  )
  return {
    topic: to.topic,
    partition: record.partition % to.partitions,
    key: record.key,
    value: record.value,
    timestamp: record.timestamp,
    headers: [...queue.cursor.headers(), ...added]
  }
}
