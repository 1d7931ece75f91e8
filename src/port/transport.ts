// The contract of a log: the only door to topics, groups and transactions.
//
// Offsets are safe integers here; the Kafka boundary checks that. Record batches are Kafka's
// record batch v2 on every transport, so one encoder, parser and checksum serve all of them.

import type { RecordHeader } from '../core/record-batch.ts'
import type { Coordinator, GroupMember } from './coordinator.ts'

/** One partition of a topic, numbered from 0. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Kafka's `cleanup.policy`: delete old records, keep the last of each key, or both. */
export type CleanupPolicy = 'delete' | 'compact' | 'compact,delete'

/** How a topic keeps its records. */
export interface TopicSettings {
  readonly cleanupPolicy: CleanupPolicy
  /** How long records are kept, in ms; -1 keeps them for ever. */
  readonly retentionMs: number
  /** Who stamps records: the sender, or the log when it appends. */
  readonly timestampType: 'create' | 'append'
  /** Further settings of the log, by its own names; unknown ones are kept and ignored. */
  readonly extra: Readonly<Record<string, string>>
}

/** A topic that is to be made. */
export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  /** How many servers keep it; -1 where the log is to choose. */
  readonly replication: number
  readonly settings: TopicSettings
}

/** What a topic refuses of a record; what is undefined has no limit. Times in ms. */
export interface TopicLimits {
  /** Of a record batch, as it is sent. */
  readonly batchBytesMax: number | undefined
  /** How far a record may be ahead of the log's clock, and how far behind. */
  readonly aheadMsMax: number | undefined
  readonly behindMsMax: number | undefined
}

/** What somebody may do with a topic: `delete` is of its records. */
export type TopicRight = 'read' | 'write' | 'delete'

/** A topic that exists. */
export interface TopicDescription extends TopicSpec {
  /** Differs after a topic was deleted and made again under the same name. */
  readonly id: string
  /** @default none */
  readonly limits?: TopicLimits
  /** Servers that must have a record before it counts as written. @default 1 */
  readonly insyncMin?: number
  /** Of the user that this process is to the log. @default all of them */
  readonly rights?: readonly TopicRight[]
}

/** What can be read of a partition. */
export interface PartitionRange extends TopicPartition {
  /** First offset that can still be read. */
  readonly start: number
  /** Offset the next record will get; on Kafka the read-uncommitted end. */
  readonly end: number
  readonly leaderEpoch: number
}

/** How far a group has come in a partition. */
export interface CommittedOffset extends TopicPartition {
  /** The next offset to read. */
  readonly offset: number
  readonly metadata: string
  /** What the chunk said that holds the record before it, or ends there. @default not known */
  readonly leaderEpoch?: number | undefined
}

/** What it takes to lose a record, of the least safe of some topics. */
export interface Safety {
  readonly servers: number
  /** Servers that keep each record. */
  readonly replication: number
  /** Servers that must have a record before it counts as written. */
  readonly insyncMin: number
}

/** Asks and changes what a log holds, outside the flow of records. */
export interface Admin {
  /** Descriptions of the topics that exist, of those named (or of all). */
  describe(names?: readonly string[]): Promise<readonly TopicDescription[]>
  /** Creates what is missing; a topic that exists is left as it is. */
  create(topics: readonly TopicSpec[]): Promise<readonly TopicDescription[]>
  /** Deletes topics with their records and committed offsets; unknown names are ignored. */
  delete(names: readonly string[]): Promise<void>
  ranges(partitions: readonly TopicPartition[]): Promise<readonly PartitionRange[]>
  /**
   * Where the records of a leader epoch end in the log as it is now, undefined when that is not
   * known. A log without it counts a change of epoch as a cut.
   */
  endOfEpoch?(partition: TopicPartition, leaderEpoch: number): Promise<number | undefined>
  /** First offset whose timestamp is at or after `timestamp`; the end where there is none. */
  offsetAt(partition: TopicPartition, timestamp: number): Promise<number>
  /** Committed offsets of a group, for the partitions that have one; stable ones only. */
  committed(
    group: string,
    partitions: readonly TopicPartition[]
  ): Promise<readonly CommittedOffset[]>
  /**
   * Makes records below `before` unreadable.
   *
   * @throws TAILRACE_TRANSPORT_OUT_OF_RANGE beyond the end
   */
  deleteRecords(partition: TopicPartition, before: number): Promise<void>
  /** How safe the records of these topics are, where several servers keep them. */
  safety?(topics: readonly string[]): Promise<Safety>
  /** Deletes and compacts what is due; the log also does so by itself. */
  maintain(): Promise<void>
}

/** A record that is to be written, as bytes. */
export interface OutgoingRecord extends TopicPartition {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Event time in ms; ignored by topics whose log stamps records. */
  readonly timestamp: number
  readonly headers?: readonly RecordHeader[]
}

/** Where a record that was sent stands now. */
export interface Delivery extends TopicPartition {
  readonly offset: number
  readonly timestamp: number
}

/**
 * Sends single records outside any transaction. Records of one partition keep their order.
 * A rejected send says whether it is known not to be in the log (`TailraceError.isDefinite`).
 */
export interface Producer {
  send(record: OutgoingRecord): Promise<Delivery>
  /** Resolves when every send so far is settled. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** The offsets of one task, with the proof that the sender still owns it. */
export interface TaskCommit {
  readonly group: string
  readonly task: string
  readonly memberId: string
  /** Generation at which the member was given the task. */
  readonly epoch: number
  readonly offsets: readonly CommittedOffset[]
  /** Of the newest answer of this membership, where the log asks for it. */
  readonly member?: GroupMember | undefined
  /**
   * Asked where the log refuses that generation: the member as it is in the next one, or undefined
   * when it has not kept the tasks of this commit.
   */
  readonly renewed?: () => Promise<GroupMember | undefined>
}

/** What the end of a transaction came to. */
export interface TransactionReport {
  /** Tasks whose fence was refused; nothing of theirs is in the log. */
  readonly fenced: readonly string[]
  /** For each partition written: the offset after the last record of this transaction. */
  readonly ends: readonly PartitionEnd[]
}

/** How far a partition was written. */
export interface PartitionEnd extends TopicPartition {
  readonly end: number
  readonly leaderEpoch: number
}

/** How a transactional producer works; a log whose transactions cost nothing knows one way only. */
export interface TransactionOptions {
  /**
   * At-least-once: records are visible when they are delivered, and offsets follow them. What is
   * sent stays, also where the commit fails: then it is sent once more.
   *
   * @default exactly-once
   */
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  /** The log aborts a transaction that was not ended for so long. */
  readonly transactionTimeoutMs?: number
}

/**
 * Writes that become visible together: records, and the offsets of the tasks they came from.
 *
 * `append` only buffers; nothing is readable before `end` resolves. While an `end` is under way
 * `begin` and `append` are refused: the runtime holds what belongs to the next one.
 * When `end` rejects with `isDefinite`, nothing is in the log; otherwise the outcome is unknown.
 * Either way that transaction is over, and `begin` starts the next.
 */
export interface TransactionalProducer {
  readonly pendingBytes: number
  begin(): Promise<void>
  /** Bytes are copied at once; the record object may be used again. */
  append(task: string, record: OutgoingRecord): void
  commitOffsets(commit: TaskCommit): void
  end(): Promise<TransactionReport>
  /** Drops what is buffered since `begin`. */
  abort(): Promise<void>
  /**
   * At-least-once on a log that cannot fence: nothing is sent after the time of the monotonic clock
   * that `limit` says whenever something is about to be. Heartbeats that are answered move it on.
   */
  notAfter?(limit: () => number): void
  close(): Promise<void>
}

/** Where to read on in a partition. */
export interface FetchPosition extends TopicPartition {
  readonly offset: number
  /** Of the chunk that it is from: tells a log that was cut below it since, and has grown again. */
  readonly leaderEpoch?: number | undefined
}

/** What one fetch got of one partition. */
export interface FetchedChunk extends TopicPartition {
  /** Whole record batches; the first may begin below the position asked for. */
  readonly bytes: Buffer
  /** The position after this chunk. */
  readonly nextOffset: number
  /** Readable end of the partition when this was fetched: lag is `end - nextOffset`. */
  readonly end: number
  /** Of the last record before `nextOffset`, where leaders change and may cut what they lead. */
  readonly leaderEpoch?: number | undefined
  /**
   * Set when the position is no longer, or not yet, in the log, or in one made anew under the
   * topic's name: no bytes, and no progress. Said once; nothing more comes until it is sought.
   */
  readonly outOfRange?: { readonly position: number; readonly start: number; readonly end: number }
  /** For once nobody reads `bytes` or a part of them: they may be written over. At most once. */
  readonly release?: () => void
}

/** Reads assigned partitions. One `fetch` at a time. */
export interface Fetcher {
  add(positions: readonly FetchPosition[]): void
  remove(partitions: readonly TopicPartition[]): void
  /** Moves the position of a partition already added. */
  seek(position: FetchPosition): void
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  /**
   * Chunks of any partitions that have something, or none after `waitMaxMs`. An empty partition
   * that was never answered is answered once with empty bytes, so that its lag (0) is known.
   */
  fetch(limits: {
    readonly bytesMax: number
    readonly waitMaxMs: number
  }): Promise<readonly FetchedChunk[]>
  /** Makes a waiting `fetch` return at once. */
  wake(): void
  close(): Promise<void>
}

/** How a thread of the same process opens its own connection; again while it is unavailable. */
export interface ThreadDoor {
  /** URL of a module that exports `open(argument: string): Promise<Transport>`. */
  readonly module: string
  readonly argument: string
}

/** What the runtime must know of a log. Times in ms. */
export interface TransportFeatures {
  /** Records are still there after the process ends. */
  readonly isDurable: boolean
  /** Several processes can share the log. */
  readonly isShared: boolean
  /** Bytes of one transaction after which the runtime commits early. */
  readonly transactionBytesMax: number
  readonly sessionTimeoutMs: number
  readonly heartbeatMs: number
  /** Copies of a topic that names none; -1 leaves it to the log. @default 1, and never more */
  readonly replicationDefault?: number
}

/**
 * A connection to a log. `transportConformance` of `tailrace/testing/conformance` tries one out.
 */
export interface Transport {
  /** Short name for reports: `memory`, `embedded`, `kafka`. */
  readonly name: string
  /** The broker URL as a person may read it: secrets left out. */
  readonly url: string
  readonly features: TransportFeatures
  /** Undefined where a thread cannot join in (a log in this process's memory). */
  readonly door: ThreadDoor | undefined
  open(): Promise<void>
  admin(): Admin
  producer(): Promise<Producer>
  /** A new producer of an id fences older ones: their `end` rejects as fenced. */
  transactionalProducer(id: string, options?: TransactionOptions): Promise<TransactionalProducer>
  fetcher(): Promise<Fetcher>
  coordinator(): Promise<Coordinator>
  close(): Promise<void>
}
