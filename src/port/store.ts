// The contract of a table store: where the shards of one worker live between two starts.
//
// A store belongs to one process at a time. It is never ahead of the log: the runtime writes to
// it only what a commit made durable there, together with the changelog position it stands for.

/** One partition of one table. */
export interface ShardId {
  readonly table: string
  readonly partition: number
}

/** How far a shard holds its changelog, and of which log. */
export interface Checkpoint {
  /** Identity of the changelog topic; a topic made again under the same name has another. */
  readonly topicId: string
  /** The next changelog offset to read. */
  readonly offset: number
  /** Leader epoch of the log when it was written: a log cut since has a later one. */
  readonly leaderEpoch: number
}

/** A row as bytes; see docs/design/0008 for what is in them. */
export interface StoreRow {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/**
 * A page of a scan. Bounds are inclusive below (`from`) and exclusive above (`to`), in unsigned
 * byte order.
 */
export interface StoreRange {
  readonly from?: Uint8Array
  readonly to?: Uint8Array
  /** Rows at most. */
  readonly limit: number
}

/**
 * Writes that take hold together. Nothing is visible to `get` before `write` resolves, and after
 * a crash either all of a batch is there or none of it. Batches take hold in the order in which
 * they were written, awaited or not. Bytes are copied at once. A batch is used once.
 */
export interface StoreBatch {
  put(shard: ShardId, key: Uint8Array, value: Uint8Array): void
  delete(shard: ShardId, key: Uint8Array): void
  /** Says how far the shard is once this batch has taken hold. */
  checkpoint(shard: ShardId, checkpoint: Checkpoint): void
  /** @throws TAILRACE_STATE_FULL when the disk is; nothing of the batch is there then */
  write(): Promise<void>
}

/** Whose store it is. */
export interface StoreIdentity {
  /** Application id: a store of another one is refused. */
  readonly app: string
}

/** A table store. `storeConformance` of `tailrace/testing/conformance` tries one out. */
export interface Store {
  /** Short name for reports: `level`, `memory`. */
  readonly name: string
  /**
   * Opens or creates it.
   *
   * @throws TAILRACE_STATE_LOCKED when another process has it,
   *   TAILRACE_STATE_FOREIGN when another app or a newer format wrote it,
   *   TAILRACE_STATE_CORRUPT when it cannot be read, TAILRACE_STATE_UNWRITABLE
   */
  open(identity: StoreIdentity): Promise<void>
  /** The value, read synchronously; the caller does not change its bytes. */
  get(shard: ShardId, key: Uint8Array): Uint8Array | undefined
  /** One page of rows in key order. */
  scan(shard: ShardId, range: StoreRange): Promise<readonly StoreRow[]>
  /** Begins a batch; nothing happens before its `write`. */
  batch(): StoreBatch
  /** How far the shard is; undefined when it has none, and then its rows are not to be trusted. */
  checkpoint(shard: ShardId): Checkpoint | undefined
  /** Every shard that has a checkpoint or data. */
  shards(): Promise<readonly ShardId[]>
  /** Removes the checkpoint first, then the data, so that a crash between leaves no lie. */
  wipe(shard: ShardId): Promise<void>
  /** Removes the rows of a range in slices; used for expired windows. */
  clear(
    shard: ShardId,
    range: { readonly from: Uint8Array; readonly to: Uint8Array }
  ): Promise<void>
  /** Approximate bytes on disk or in memory. */
  sizeBytes(): Promise<number>
  /** Lets go of the place; another process may open it. */
  close(): Promise<void>
}
