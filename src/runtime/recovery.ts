// Brings the shards of a task to the end of their changelogs: from checkpoint to what is missing.
import { BatchCursor } from '../core/batch-cursor.ts'
import { formatDuration } from '../core/duration.ts'
import { type Clock, pause } from '../port/clock.ts'
import { failpoint } from '../port/failpoint.ts'
import type { Checkpoint, ShardId, Store, StoreBatch } from '../port/store.ts'
import type { Admin, FetchedChunk, Fetcher, PartitionRange, Transport } from '../port/transport.ts'
import type { Log } from './log.ts'
import type { Counters } from './monitor.ts'

/** One shard to restore. */
export interface RestoreJob {
  readonly shard: ShardId
  readonly changelog: string
  readonly topicId: string
}

/** How far a restore is; replaced as it goes. */
export interface RestoreProgress {
  readonly records: number
  readonly remaining: number
  readonly recordsPerSecond: number
  /** Undefined while too little is known. */
  readonly etaMs: number | undefined
}

export interface RestoreParts {
  readonly transport: Transport
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly counters: Counters
  readonly signal: AbortSignal
  readonly onProgress: (progress: RestoreProgress) => void
}

/** Rows of one store batch: larger ones only fill LevelDB's memtable further. */
const batchRows = 5_000
const fetchBytes = 8 * 1_048_576
const fetchWaitMs = 500
const tellEveryMs = 5_000
/** When nothing has come for so long, the log is asked whether it still reaches as far. */
const lookEveryMs = 5_000

interface Target {
  readonly job: RestoreJob
  range: PartitionRange
  position: number
}

/** Restores every job, all through one fetcher. Resolves when all are at their end, or aborted. */
export async function restore(jobs: readonly RestoreJob[], parts: RestoreParts): Promise<void> {
  const admin = parts.transport.admin()
  const targets: Target[] = []
  for (const job of jobs) targets.push(await begin(job, admin, parts))
  const behind = targets.filter((target) => target.position < target.range.end)
  if (behind.length === 0) return
  const fetcher = await parts.transport.fetcher()
  try {
    await new Restore(behind, fetcher, parts).run()
  } finally {
    await fetcher.close()
  }
}

// Where the shard goes on: at its checkpoint if that still speaks of this log, else from nothing.
async function begin(job: RestoreJob, admin: Admin, parts: RestoreParts): Promise<Target> {
  const partition = { topic: job.changelog, partition: job.shard.partition }
  const [range] = await admin.ranges([partition])
  if (range === undefined) return { job, range: { ...partition, ...nothing }, position: 0 }
  const checkpoint = parts.store.checkpoint(job.shard)
  const problem =
    checkpoint === undefined
      ? 'there is none'
      : (mismatch(job, checkpoint, range) ??
        (await cut(checkpoint, range, admin)) ??
        (await staleness(checkpoint, range, admin, parts)))
  if (checkpoint !== undefined && problem === undefined) {
    return { job, range, position: checkpoint.offset }
  }
  if (checkpoint !== undefined) {
    const fields = { table: job.shard.table, partition: job.shard.partition }
    parts.log.warn(fields, `the checkpoint of a shard does not fit its log: ${problem}; rebuilding`)
  }
  await parts.store.wipe(job.shard)
  return { job, range, position: range.start }
}

const nothing = { start: 0, end: 0, leaderEpoch: 0 }

function mismatch(
  job: RestoreJob,
  checkpoint: Checkpoint,
  range: PartitionRange
): string | undefined {
  if (checkpoint.topicId !== job.topicId) return 'the changelog was made anew since'
  if (checkpoint.offset > range.end) return 'it is ahead of the log'
  if (checkpoint.offset < range.start) return 'the log has been cleaned beyond it'
  return undefined
}

// A new leader may lack records that the old one had. Where the log can tell how far the old one's
// are still there, a checkpoint within them fits; else the table is built anew.
async function cut(
  { leaderEpoch, offset }: Checkpoint,
  range: PartitionRange,
  admin: Admin
): Promise<string | undefined> {
  if (leaderEpoch === range.leaderEpoch) return undefined
  const end = await admin.endOfEpoch?.(range, leaderEpoch)
  if (end !== undefined && offset <= end) return undefined
  return 'the log may have been cut since'
}

/** As Kafka keeps tombstones unless a topic says otherwise. */
const tombstonesKeptMs = 86_400_000

// What was deleted after the checkpoint is learned from tombstones. Those that the log stamped
// longer ago than it keeps them may have been compacted away, and their rows would stay for ever.
async function staleness(
  checkpoint: Checkpoint,
  range: PartitionRange,
  admin: Admin,
  parts: RestoreParts
): Promise<string | undefined> {
  // On Kafka the mark of the commit follows the checkpoint; no log compacts away its last record.
  if (checkpoint.offset >= range.end - 1) return undefined
  const [topic] = await admin.describe([range.topic])
  const kept = Number(topic?.settings.extra['delete.retention.ms'] ?? tombstonesKeptMs)
  const whole = await admin.offsetAt(range, parts.clock.now() - kept)
  return checkpoint.offset < whole ? 'deletions since may have been compacted away' : undefined
}

class Restore {
  readonly #targets: Map<string, Target>
  readonly #fetcher: Fetcher
  readonly #parts: RestoreParts
  readonly #startedMs: number
  // One batch at a time: the store's threads keep no order, and a checkpoint must not overtake
  // the rows it stands for. The next batch is parsed meanwhile.
  #writing: Promise<void> = Promise.resolve()
  #records = 0
  #tellDueMs: number
  #lookDueMs: number

  constructor(targets: readonly Target[], fetcher: Fetcher, parts: RestoreParts) {
    this.#targets = new Map(targets.map((target) => [keyOf(target.range), target]))
    this.#fetcher = fetcher
    this.#parts = parts
    this.#startedMs = parts.clock.monotonic()
    this.#tellDueMs = this.#startedMs + tellEveryMs
    this.#lookDueMs = this.#startedMs + lookEveryMs
  }

  async run(): Promise<void> {
    this.#fetcher.add(
      [...this.#targets.values()].map(({ position, range }) => ({
        topic: range.topic,
        partition: range.partition,
        offset: position
      }))
    )
    const shards = [...this.#targets.values()].map(({ job: { shard } }) => shardName(shard))
    const { remaining } = this.#report()
    this.#parts.log.info({ shards, remaining }, `restoring ${remaining} records`)
    try {
      while (this.#targets.size > 0 && !this.#parts.signal.aborted) await this.#step()
    } finally {
      // Also when it fails: whoever restores these shards next must not meet this write.
      await this.#writing
    }
    const took = formatDuration(this.#parts.clock.monotonic() - this.#startedMs)
    const end = this.#parts.signal.aborted ? 'gave up restoring' : 'restored'
    this.#parts.log.info({ shards, records: this.#records }, `${end} after ${took}`)
  }

  async #step(): Promise<void> {
    const { clock, signal } = this.#parts
    const chunks = await this.#fetcher.fetch({ bytesMax: fetchBytes, waitMaxMs: fetchWaitMs })
    for (const chunk of chunks) await this.#take(chunk)
    this.#tell(this.#report())
    if (chunks.length > 0) {
      this.#lookDueMs = clock.monotonic() + lookEveryMs
      await clock.turn()
      return
    }
    if (clock.monotonic() >= this.#lookDueMs) await this.#look()
    await pause(clock, 1, signal)
  }

  // A log that was cut since (an unclean election) never reaches the end it had.
  async #look(): Promise<void> {
    this.#lookDueMs = this.#parts.clock.monotonic() + lookEveryMs
    const admin = this.#parts.transport.admin()
    const targets = [...this.#targets.values()]
    const ranges = await admin.ranges(targets.map(({ range }) => range))
    for (const [index, target] of targets.entries()) {
      const range = ranges[index]
      if (range !== undefined && range.end < target.range.end) await this.#rebuild(target, range)
    }
  }

  async #rebuild(target: Target, range: PartitionRange): Promise<void> {
    const { table, partition } = target.job.shard
    const text = 'the log was cut or cleaned while a shard was restored; rebuilding'
    this.#parts.log.warn({ table, partition }, text)
    await this.#writing
    await this.#parts.store.wipe(target.job.shard)
    target.range = range
    target.position = range.start
    this.#fetcher.seek({ topic: range.topic, partition: range.partition, offset: range.start })
    this.#endIfReached(target)
  }

  #tell({ etaMs, recordsPerSecond, remaining }: RestoreProgress): void {
    const now = this.#parts.clock.monotonic()
    if (remaining === 0 || now < this.#tellDueMs) return
    this.#tellDueMs = now + tellEveryMs
    const eta = etaMs === undefined ? '' : `, about ${formatDuration(etaMs)}`
    const text = `restoring: ${remaining} records left${eta}`
    this.#parts.log.info({ remaining, recordsPerSecond, etaMs }, text)
  }

  async #take(chunk: FetchedChunk): Promise<void> {
    const target = this.#targets.get(keyOf(chunk))
    if (target === undefined) return
    if (chunk.outOfRange !== undefined) {
      // Cleaned while we read: what is gone is superseded, but deletions may be among it.
      const [range] = await this.#parts.transport.admin().ranges([target.range])
      await this.#rebuild(target, range ?? { ...target.range, ...chunk.outOfRange })
      return
    }
    await this.#write(target, chunk)
    target.position = chunk.nextOffset
    this.#endIfReached(target)
  }

  #endIfReached({ position, range }: Target): void {
    if (position < range.end) return
    this.#targets.delete(keyOf(range))
    this.#fetcher.remove([range])
  }

  async #write(target: Target, chunk: FetchedChunk): Promise<void> {
    const { shard } = target.job
    const cursor = new BatchCursor()
    cursor.reset(chunk.bytes, target.position)
    let batch = this.#parts.store.batch()
    let rows = 0
    while (cursor.next()) {
      const key = cursor.key()
      if (key === null) continue
      const value = cursor.value()
      if (value === null) batch.delete(shard, key)
      else batch.put(shard, key, value)
      this.#records++
      this.#parts.counters.restoredRecords++
      if (++rows < batchRows) continue
      await this.#writeBatch(batch, target, cursor.offset + 1)
      batch = this.#parts.store.batch()
      rows = 0
    }
    await this.#writeBatch(batch, target, chunk.nextOffset)
  }

  // The checkpoint goes with each batch, so that an interrupted restore goes on where it was.
  async #writeBatch(batch: StoreBatch, target: Target, offset: number): Promise<void> {
    const { leaderEpoch } = target.range
    batch.checkpoint(target.job.shard, { topicId: target.job.topicId, offset, leaderEpoch })
    await this.#writing
    this.#writing = batch.write()
    // Awaited before the next one; a failure must not count as unhandled until then.
    this.#writing.catch(() => undefined)
    failpoint('restore.batch')
  }

  #report(): RestoreProgress {
    let remaining = 0
    for (const { position, range } of this.#targets.values()) remaining += range.end - position
    const seconds = (this.#parts.clock.monotonic() - this.#startedMs) / 1_000
    const rate = seconds > 0 ? this.#records / seconds : 0
    const progress: RestoreProgress = {
      records: this.#records,
      remaining,
      recordsPerSecond: Math.round(rate),
      etaMs: rate > 0 ? Math.round((remaining / rate) * 1_000) : undefined
    }
    this.#parts.onProgress(progress)
    return progress
  }
}

function shardName({ partition, table }: ShardId): string {
  return `${table}/${partition}`
}

function keyOf(partition: { readonly topic: string; readonly partition: number }): string {
  return `${partition.topic}/${partition.partition}`
}
