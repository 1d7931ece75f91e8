// Error policies: what becomes of an event whose handling failed.
import type { Duration } from './duration.ts'
import { durationMs } from './duration.ts'
import { TailraceError } from './errors.ts'
import type { Event } from './event.ts'
import { checkOptions, type Shape } from './option-check.ts'

/** What happens to the failed event. Made by `retry`, `deadLetter`, `skip` and `stop`. */
export type Decision =
  | RetryDecision
  | { readonly kind: 'dead-letter'; readonly topic: string | undefined }
  | { readonly kind: 'skip' }
  | { readonly kind: 'stop' }

export interface RetryDecision {
  readonly kind: 'retry'
  readonly times: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  /** Undefined: the app's dead letter topic if it has one, else stop. */
  readonly otherwise: Decision | undefined
}

/** How often, and after which waits, an event is tried again. */
export interface RetryOptions {
  /** Tries after the first one. @default 5 */
  readonly times?: number
  /** First wait; each further one is twice as long, with jitter. @default 100 ms */
  readonly backoff?: Duration
  /** Longest wait. @default 30 s */
  readonly max?: Duration
  /** When all tries failed. @default the app's dead letter topic, else stop */
  readonly otherwise?: Decision
}

/**
 * Tries the event again; only its partition waits. The waits grow exponentially, half of each by
 * chance, so that many workers do not come back at once. Decode errors are never retried.
 *
 * @throws TAILRACE_CONFIG_DURATION, TAILRACE_CONFIG_INVALID
 * @example
 * const patient = retry({ times: 10, backoff: '1s', otherwise: deadLetter() })
 */
export function retry(options: RetryOptions = {}): Decision {
  checkOptions('retry', options, retryShapes)
  return Object.freeze({
    kind: 'retry',
    times: options.times ?? 5,
    backoffMs: durationMs(options.backoff ?? 100, 'retry "backoff"'),
    backoffMsMax: durationMs(options.max ?? '30s', 'retry "max"'),
    otherwise: options.otherwise
  })
}

const wait: Shape = { expected: 'a duration', fits: () => true }
const retryShapes: { readonly [Name in keyof RetryOptions]-?: Shape } = {
  times: {
    expected: 'a whole number from 0',
    fits: (times) => Number.isInteger(times) && Number(times) >= 0
  },
  backoff: wait,
  max: wait,
  otherwise: {
    expected: 'deadLetter(…), skip or stop',
    fits: (decision) => typeof decision === 'object' && decision !== null && 'kind' in decision
  }
}

/**
 * Puts the record into a dead letter topic, the app's unless one is named, and goes on. Key, value,
 * headers and timestamp stay; headers `__tailrace.dlq.*` say what happened.
 *
 * @throws TAILRACE_CONFIG_INVALID for anything but a topic
 */
export function deadLetter(topic?: { readonly name: string }): Decision {
  // In plain JavaScript a name is easily given instead, and would mean the app's.
  if (topic !== undefined && typeof topic?.name !== 'string') {
    throw new TailraceError(
      'TAILRACE_CONFIG_INVALID',
      `deadLetter was given ${JSON.stringify(topic)}, and takes a topic of the app, or nothing`
    )
  }
  return Object.freeze({ kind: 'dead-letter', topic: topic?.name })
}

/** Goes on without the event; it is counted. */
export const skip: Decision = Object.freeze({ kind: 'skip' })

/** Stops the worker with exit code 1; the event is tried again at the next start. */
export const stop: Decision = Object.freeze({ kind: 'stop' })

/** The record as it stands in the log: bytes, decoded or not. */
export interface FailedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** In ms since 1970. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** What an error policy decides about; the event is undone by then. */
export interface Failure<K = unknown, V = unknown> {
  /** What was thrown. */
  readonly error: unknown
  /** `decode`: bytes or schema; `handle`: the agent; `send`: an output or a table's changelog. */
  readonly stage: 'decode' | 'handle' | 'send'
  /** How often it was tried so far, this time included. */
  readonly attempts: number
  readonly record: FailedRecord
  /** Undefined when it could not be decoded. */
  readonly event: Event<K, V> | undefined
}

/**
 * An error policy: a decision, or a function that makes one. One that throws, or decides nothing,
 * stops the worker with TAILRACE_CONFIG_INVALID.
 *
 * @default retry(), then the app's dead letter topic if there is one, else stop
 */
export type OnError<K = unknown, V = unknown> =
  | Decision
  | ((failure: Failure<K, V>) => Decision | Promise<Decision>)

/** Wait before the given try, in ms; `random` is in [0, 1). Exponential, full cap, half jitter. */
export function backoffMs(decision: RetryDecision, attempt: number, random: number): number {
  const whole = Math.min(decision.backoffMsMax, decision.backoffMs * 2 ** (attempt - 1))
  return whole / 2 + (whole / 2) * random
}
