// What a broker refuses, and what a connection dies of: one error class, judged once.

import type { ErrorCode } from '../../core/errors.ts'
import { messageOf, TailraceError } from '../../core/errors.ts'
import { protocolErrors } from './library.ts'

/** Codes of our own, below any that Kafka has: what happened before a broker could answer. */
export const local = {
  connectionLost: -1000,
  timedOut: -1001,
  untrusted: -1002,
  tlsMismatch: -1003,
  tooOld: -1004,
  closed: -1005,
  saslExpected: -1006,
  unreadable: -1007,
  noLeader: -1008
} as const

/** The codes of Kafka that this folder asks for by name. */
export const kafka = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  notController: 41,
  policyViolation: 44,
  transactionalIdAuthorizationFailed: 53,
  saslAuthenticationFailed: 58,
  unstableOffsetCommit: 88
} as const

interface Meaning {
  readonly id: string
  readonly message: string
  readonly isRetriable: boolean
}

const localMeanings: ReadonlyMap<number, Meaning> = new Map([
  [local.connectionLost, meaning('CONNECTION_LOST', 'the connection was lost', true)],
  [local.timedOut, meaning('TIMED_OUT', 'no answer came in time', true)],
  [local.untrusted, meaning('UNTRUSTED', 'the certificate of the broker is not trusted', false)],
  [local.tlsMismatch, meaning('TLS_MISMATCH', 'one side speaks TLS and the other not', false)],
  [local.tooOld, meaning('TOO_OLD', 'the broker is older than Kafka 3.9', false)],
  [local.closed, meaning('CLOSED', 'the connection was closed by this process', false)],
  [local.saslExpected, meaning('SASL_EXPECTED', 'the broker asks for a login', false)],
  [local.unreadable, meaning('UNREADABLE', 'the answer could not be read', false)],
  [local.noLeader, meaning('NO_LEADER', 'the partition has no leader right now', true)]
])

function meaning(id: string, message: string, isRetriable: boolean): Meaning {
  return { id, message, isRetriable }
}

const broker: ReadonlyMap<number, Meaning> = new Map(
  Object.values(protocolErrors).map(({ id, code, canRetry, message }) => [
    code,
    { id, message: message.replace(/\.$/, ''), isRetriable: canRetry }
  ])
)

/** Answers that say: the metadata held here is behind. */
const staleMetadata: ReadonlySet<number> = new Set([
  kafka.unknownTopicOrPartition,
  kafka.leaderNotAvailable,
  kafka.notLeaderOrFollower,
  9, // REPLICA_NOT_AVAILABLE
  56, // KAFKA_STORAGE_ERROR: its partitions move to another broker
  72, // LISTENER_NOT_FOUND
  74, // FENCED_LEADER_EPOCH
  75, // UNKNOWN_LEADER_EPOCH
  100, // UNKNOWN_TOPIC_ID
  103, // INCONSISTENT_TOPIC_ID
  local.noLeader
])

export interface FailureDetails {
  readonly cause?: unknown
  readonly reason?: string
  readonly hint?: string | undefined
  /** What a user must be allowed for this, in the words of Kafka's ACLs. */
  readonly right?: string | undefined
}

/** Of what a right is, and the one that was lacking where nobody says otherwise. */
const resources: ReadonlyMap<number, { readonly name: string; readonly right: string }> = new Map([
  [kafka.topicAuthorizationFailed, { name: 'the topic', right: 'DESCRIBE' }],
  [kafka.groupAuthorizationFailed, { name: 'the group', right: 'READ' }],
  [kafka.clusterAuthorizationFailed, { name: 'the cluster', right: 'IDEMPOTENT_WRITE' }],
  [
    kafka.transactionalIdAuthorizationFailed,
    { name: 'the transactional ids that begin with the id of the app', right: 'WRITE' }
  ]
])

function rightHint(code: number, right: string | undefined): string | undefined {
  const resource = resources.get(code)
  if (resource === undefined) return undefined
  return `Give this user the right ${right ?? resource.right} on ${resource.name}, by an ACL.`
}

/** One refused or lost request. Inside the transport only: `toTailraceError` ends its way. */
export class KafkaFailure extends Error {
  override readonly name: string = 'KafkaFailure'
  /** Kafka's error code, or one of `local`. */
  readonly code: number
  readonly codeName: string
  /** The message without what was asked. */
  readonly reason: string
  /** The same request may succeed later. */
  readonly isRetriable: boolean
  /** What to do about it, where more is known than its code says. */
  readonly hint: string | undefined

  constructor(code: number, what: string, options: FailureDetails = {}) {
    const { id, message, isRetriable } = meaningOf(code)
    const reason = options.reason ?? message
    super(`${what}: ${reason}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.codeName = id
    this.reason = reason
    this.isRetriable = isRetriable
    this.hint = options.hint ?? rightHint(code, options.right)
  }

  /** Leaders are elsewhere than the metadata says: ask for it anew before the next attempt. */
  get isStaleMetadata(): boolean {
    return staleMetadata.has(this.code)
  }

  /** The group's or transaction's coordinator is another broker now. */
  get isCoordinatorMoved(): boolean {
    return this.code === kafka.coordinatorNotAvailable || this.code === kafka.notCoordinator
  }

  /** No answer: whether the request took effect is unknown. */
  get isOutcomeUnknown(): boolean {
    return this.code === local.connectionLost || this.code === local.timedOut
  }
}

function meaningOf(code: number): Meaning {
  return (
    broker.get(code) ??
    localMeanings.get(code) ??
    meaning(`ERROR_${code}`, `the broker answered with error ${code}, which is not known`, false)
  )
}

export function failure(code: number, what: string): KafkaFailure {
  return new KafkaFailure(code, what)
}

/** Throws for an error code; 0 passes. `right` is what a user needs for what was asked. */
export function throwIf(code: number, what: string, right?: string): void {
  if (code !== kafka.none) throw new KafkaFailure(code, what, { right })
}

const codes: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [kafka.offsetOutOfRange, 'TAILRACE_TRANSPORT_OUT_OF_RANGE'],
  [2, 'TAILRACE_TRANSPORT_CORRUPT'],
  [kafka.unknownTopicOrPartition, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'],
  [100, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'],
  [kafka.messageTooLarge, 'TAILRACE_SCHEMA_TOO_LARGE'],
  [18, 'TAILRACE_SCHEMA_TOO_LARGE'],
  [22, 'TAILRACE_TRANSPORT_FENCED'],
  [25, 'TAILRACE_TRANSPORT_FENCED'],
  [47, 'TAILRACE_TRANSPORT_FENCED'],
  [82, 'TAILRACE_TRANSPORT_FENCED'],
  [90, 'TAILRACE_TRANSPORT_FENCED'],
  [kafka.topicAuthorizationFailed, 'TAILRACE_TRANSPORT_FORBIDDEN'],
  [kafka.groupAuthorizationFailed, 'TAILRACE_TRANSPORT_FORBIDDEN'],
  [kafka.clusterAuthorizationFailed, 'TAILRACE_TRANSPORT_FORBIDDEN'],
  [kafka.transactionalIdAuthorizationFailed, 'TAILRACE_TRANSPORT_FORBIDDEN'],
  [33, 'TAILRACE_TRANSPORT_AUTHENTICATION'],
  [34, 'TAILRACE_TRANSPORT_AUTHENTICATION'],
  [kafka.saslAuthenticationFailed, 'TAILRACE_TRANSPORT_AUTHENTICATION'],
  [kafka.policyViolation, 'TAILRACE_TRANSPORT_REFUSED'],
  [kafka.invalidTopic, 'TAILRACE_TRANSPORT_REFUSED'],
  [32, 'TAILRACE_TRANSPORT_REFUSED'],
  [37, 'TAILRACE_TRANSPORT_REFUSED'],
  [38, 'TAILRACE_TRANSPORT_REFUSED'],
  [40, 'TAILRACE_TRANSPORT_REFUSED'],
  [42, 'TAILRACE_TRANSPORT_REFUSED'],
  [87, 'TAILRACE_TRANSPORT_REFUSED'],
  [local.saslExpected, 'TAILRACE_TRANSPORT_AUTHENTICATION'],
  [local.untrusted, 'TAILRACE_TRANSPORT_CERTIFICATE'],
  [local.tlsMismatch, 'TAILRACE_TRANSPORT_TLS'],
  [35, 'TAILRACE_TRANSPORT_BROKER_VERSION'],
  [local.tooOld, 'TAILRACE_TRANSPORT_BROKER_VERSION'],
  [local.closed, 'TAILRACE_TRANSPORT_CLOSED']
])

/**
 * The error that leaves the transport: code, sentence, hint. `what` says what failed, as in
 * "the records could not be sent". One that is ours already stays as it is.
 */
export function toTailraceError(
  error: unknown,
  what: string,
  options: { readonly isDefinite?: boolean } = {}
): TailraceError {
  if (error instanceof TailraceError) return error
  const isFailure = error instanceof KafkaFailure
  const code = (isFailure ? codes.get(error.code) : undefined) ?? 'TAILRACE_TRANSPORT_UNAVAILABLE'
  const name = isFailure && error.code > 0 ? ` (${error.codeName})` : ''
  const hint = isFailure ? error.hint : undefined
  return new TailraceError(code, `${what}: ${messageOf(error)}${name}`, {
    cause: error,
    ...(hint !== undefined && { hint }),
    isDefinite: options.isDefinite ?? (isFailure && !error.isOutcomeUnknown)
  })
}
