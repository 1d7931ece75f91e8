// Data plane. What an answer to a batch means: pure, so that every code can be tried.

/** Codes of Kafka that a producer tells apart. */
export const produceCodes = {
  none: 0,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  notLeader: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  recordListTooLarge: 18,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidTimestamp: 32,
  invalidProducerEpoch: 47,
  concurrentTransactions: 51,
  storageError: 56,
  unknownProducerId: 59,
  invalidRecord: 87,
  producerFenced: 90
} as const

/**
 * accepted: it is in the log. again: the same bytes once more. split: smaller batches instead.
 * restart: the log lost or never had what went before, so sequences begin anew (KIP-360).
 * rejected: it will never be taken.
 */
export type Outcome = 'accepted' | 'again' | 'split' | 'restart' | 'rejected'

export interface Asked {
  /** No batch of this partition that went before is unsettled. */
  readonly isHead: boolean
  readonly isTransactional: boolean
  readonly recordCount: number
  /** An earlier attempt got no answer: it may be in the log. */
  readonly isUncertain: boolean
  /** The code stands for something that passes by itself. */
  readonly isRetriable: boolean
}

export function outcomeOf(code: number, asked: Asked): Outcome {
  const canSplit = asked.recordCount > 1 && !asked.isUncertain
  switch (code) {
    case produceCodes.none:
      return 'accepted'
    case produceCodes.duplicateSequence:
      // So old that its offset is forgotten, but in the log.
      return 'accepted'
    case produceCodes.messageTooLarge:
    case produceCodes.recordListTooLarge:
      return canSplit ? 'split' : 'rejected'
    case produceCodes.invalidRecord:
    case produceCodes.invalidTimestamp:
      // One bad record: the others of its batch are to get through. A transaction is lost anyway.
      return canSplit && !asked.isTransactional ? 'split' : 'rejected'
    case produceCodes.outOfOrderSequence:
    case produceCodes.unknownProducerId:
      // Behind one that failed this was to be expected; it goes again in its place.
      if (!asked.isHead) return 'again'
      return asked.isTransactional ? 'rejected' : 'restart'
    case produceCodes.invalidProducerEpoch:
      return asked.isTransactional ? 'rejected' : 'restart'
    case produceCodes.concurrentTransactions:
      return 'again'
    default:
      return asked.isRetriable ? 'again' : 'rejected'
  }
}

/** Also said by a leader that had appended it, and lost its place before the others had it. */
const inDoubt: ReadonlySet<number> = new Set([
  produceCodes.notLeader,
  produceCodes.requestTimedOut,
  produceCodes.notEnoughReplicasAfterAppend,
  produceCodes.storageError
])

/** After these an attempt may be in the log although it failed. */
export function isInDoubt(code: number): boolean {
  return inDoubt.has(code)
}
