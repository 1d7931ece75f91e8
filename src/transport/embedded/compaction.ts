// Compacts a partition: survivors of sealed segments go into new files of a new generation.
//
// Sources are never changed, so readers keep what they read. Oldest groups are swapped first: a
// segment counts as compacted only once nothing older holds a key that it replaced.

import { BatchCursor } from '../../core/batch-cursor.ts'
import { BatchEncoder, setBaseOffset } from '../../core/record-batch.ts'
import { batchSize, batchStarts, offsetAfter, readBatches } from './batches.ts'
import type { Topic } from './catalog.ts'
import { extraNumber } from './catalog.ts'
import type { Database, Row } from './database.ts'
import { integer, integerOrNull } from './database.ts'
import type { Log } from './log.ts'
import { syncFile, type SegmentId } from './segments.ts'
import { indexStepBytes } from './tails.ts'

/** Keys remembered in one pass, about 100 bytes each; a pass takes one segment at least. */
const keysMax = 100_000
/** As in Kafka: a day in which a slow reader still finds the tombstones. */
const tombstonesKeptMsDefault = 86_400_000
/** What is read, and looked at, in one turn of the event loop. */
const sliceBytes = 256 * 1024
const batchBytes = 64 * 1024
/** Compaction waits until this share of a partition's sealed bytes is new, as in Kafka. */
const dirtyShareMin = 0.5

interface Source {
  readonly segment: SegmentId
  readonly next: number
  readonly bytes: number
  /** When its tombstones may go; null while it was never compacted. */
  readonly cleanableAt: number | null
}

export interface CompactionTask {
  readonly topic: Topic
  /** Id of the partition. */
  readonly id: number
  /** False when the log is closing: the pass ends between two slices, and nothing is lost. */
  readonly goesOn: () => boolean
}

const selectSealed = `
  SELECT base, generation, next, bytes, cleanable_at FROM segment
  WHERE partition = ? AND next IS NOT NULL ORDER BY base`

/** True when enough was sealed since the last pass to be worth one. */
export function isCompactionDue(database: Database, id: number): boolean {
  const sources = database.all(selectSealed, id).map((row) => sourceOf(row, id))
  const sum = (list: readonly Source[]): number => list.reduce((total, one) => total + one.bytes, 0)
  const dirty = sum(sources.filter(({ cleanableAt }) => cleanableAt === null))
  return dirty > 0 && dirty >= sum(sources) * dirtyShareMin
}

/** Compacts everything sealed, in as many passes as its keys need. */
export async function compact(log: Log, task: CompactionTask): Promise<void> {
  while (task.goesOn() && (await pass(log, task))) continue
}

/** False when nothing is left to do, or another process was faster. */
async function pass(log: Log, task: CompactionTask): Promise<boolean> {
  const sealed = await log.database.attempt(() => log.database.all(selectSealed, task.id))
  const sources = sealed.map((row) => sourceOf(row, task.id))
  const newest = new Map<string, number>()
  let count = 0
  let hasSynced = false
  for (const source of sources) {
    if (source.cleanableAt === null) {
      if (newest.size >= keysMax) break
      await addKeys(log, { source, newest, task })
      // A power cut may take what is newer, but then not what it replaces: that is about to go.
      await syncFile(log.segments.path(source.segment))
      hasSynced = true
    }
    count++
  }
  if (hasSynced) log.segments.syncDirectory()
  if (sources.slice(0, count).every(({ cleanableAt }) => cleanableAt !== null)) return false
  const now = log.clock.now()
  for (const group of groupsOf(sources.slice(0, count), { topic: task.topic, now })) {
    if (!task.goesOn() || !(await compactGroup(log, { group, newest, task, now }))) return false
  }
  return true
}

/** The last offset of each key. */
async function addKeys(
  log: Log,
  {
    source,
    newest,
    task
  }: {
    readonly source: Source
    readonly newest: Map<string, number>
    readonly task: CompactionTask
  }
): Promise<void> {
  const cursor = new BatchCursor()
  for (const { bytes } of readBatches(log.segments, rangeOf(source), sliceBytes)) {
    cursor.reset(bytes, 0)
    while (cursor.next()) {
      if (cursor.keyStart >= 0) newest.set(keyOf(cursor), cursor.offset)
    }
    await log.clock.turn()
    if (!task.goesOn()) return
  }
}

interface Group {
  readonly sources: readonly Source[]
  readonly cleanableAt: number
}

/**
 * Neighbours that become one segment. Their tombstones may go at one moment, or the moment of the
 * older ones would be put off for ever; moments are rounded, so that there are few of them.
 */
function groupsOf(
  sources: readonly Source[],
  { topic, now }: { readonly topic: Topic; readonly now: number }
): readonly Group[] {
  const keptMs = extraNumber(topic.settings, 'delete.retention.ms') ?? tombstonesKeptMsDefault
  const step = Math.max(1, Math.floor(keptMs / 4))
  const fresh = Math.ceil((now + keptMs) / step) * step
  const groups: { sources: Source[]; cleanableAt: number; bytes: number }[] = []
  for (const source of sources) {
    const due = source.cleanableAt ?? fresh
    const cleanableAt = due <= now ? 0 : due
    const last = groups.at(-1)
    const isFitting = last !== undefined && last.bytes + source.bytes <= topic.segmentBytes
    if (isFitting && last.cleanableAt === cleanableAt) {
      last.sources.push(source)
      last.bytes += source.bytes
    } else groups.push({ sources: [source], cleanableAt, bytes: source.bytes })
  }
  return groups
}

interface GroupWork {
  readonly group: Group
  readonly newest: ReadonlyMap<string, number>
  readonly task: CompactionTask
  readonly now: number
}

async function compactGroup(log: Log, work: GroupWork): Promise<boolean> {
  const { id } = work.task
  const first = work.group.sources[0]
  if (first === undefined) return true
  const generation = await nextGeneration(log.database)
  const output = new Output(log, { partition: id, base: first.segment.base, generation })
  let isSwapped = false
  try {
    for (const source of work.group.sources) {
      await copySurvivors(log, { source, output, work })
      if (!work.task.goesOn()) return false
    }
    output.finish()
    await output.sync()
    isSwapped = await swap(log, { work, output })
  } finally {
    // Whatever went wrong, a file without a row is nobody's.
    if (!isSwapped || output.bytes === 0) log.segments.remove(output.segment)
  }
  if (isSwapped) for (const { segment } of work.group.sources) log.segments.remove(segment)
  return isSwapped
}

async function copySurvivors(
  log: Log,
  {
    source,
    output,
    work
  }: { readonly source: Source; readonly output: Output; readonly work: GroupWork }
): Promise<void> {
  const mayDropTombstones = source.cleanableAt !== null && source.cleanableAt <= work.now
  const cursor = new BatchCursor()
  for (const { bytes } of readBatches(log.segments, rangeOf(source), sliceBytes)) {
    for (const at of batchStarts(bytes)) {
      cursor.reset(bytes.subarray(at, at + batchSize(bytes, at)), 0)
      while (cursor.next()) {
        if (cursor.keyStart >= 0) {
          const last = work.newest.get(keyOf(cursor))
          if (last !== undefined && last > cursor.offset) continue
          if (mayDropTombstones && cursor.valueStart < 0) continue
        }
        output.add(cursor)
      }
      output.covered(offsetAfter(bytes, at) - 1)
    }
    await log.clock.turn()
    if (!work.task.goesOn()) return
  }
}

/** The new segment while it is written. */
class Output {
  readonly segment: SegmentId
  readonly index: { readonly offset: number; readonly position: number }[] = []
  bytes = 0
  timestampMax = -1
  readonly #log: Log
  readonly #encoder = new BatchEncoder({ bytesInitial: batchBytes })
  #base = 0
  #lastOffset = 0

  constructor(log: Log, segment: SegmentId) {
    this.#log = log
    this.segment = segment
  }

  add(cursor: BatchCursor): void {
    if (this.#encoder.recordCount === 0) this.#base = cursor.offset
    const { offset, timestamp } = cursor
    const key = cursor.key()
    this.#encoder.appendAt(offset - this.#base, key, cursor.value(), timestamp, cursor.headers())
    this.#lastOffset = offset
    this.timestampMax = Math.max(this.timestampMax, timestamp)
  }

  /** Everything up to `offset` was looked at: the batch stands for all of it. */
  covered(offset: number): void {
    if (this.#encoder.recordCount === 0) return
    this.#lastOffset = offset
    if (this.#encoder.sizeBytes >= batchBytes) this.finish()
  }

  finish(): void {
    if (this.#encoder.recordCount === 0) return
    const batch = this.#encoder.finish({ lastOffsetDelta: this.#lastOffset - this.#base })
    setBaseOffset(batch, this.#base, this.#log.leaderEpoch)
    if (this.bytes - (this.index.at(-1)?.position ?? -indexStepBytes) >= indexStepBytes) {
      this.index.push({ offset: this.#base, position: this.bytes })
    }
    this.#log.segments.write(this.segment, [batch], this.bytes)
    this.bytes += batch.length
  }

  /** To the disk itself, name included: the files it replaces are about to go. */
  async sync(): Promise<void> {
    if (this.bytes === 0) return
    await syncFile(this.#log.segments.path(this.segment))
    this.#log.segments.syncDirectory()
  }
}

async function nextGeneration(database: Database): Promise<number> {
  return database.transaction(() => {
    const row = database.get(
      `INSERT INTO meta VALUES ('generation', 1)
       ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value`
    )
    return integer(row, 'value')
  })
}

/** Puts the new segment in the place of its sources, unless anything of it changed meanwhile. */
async function swap(
  log: Log,
  { work, output }: { readonly work: GroupWork; readonly output: Output }
): Promise<boolean> {
  const { database, segments } = log
  const { sources, cleanableAt } = work.group
  const { partition, base, generation } = output.segment
  const isSwapped = await database.transaction(
    () => {
      if (!sources.every((source) => isCurrent(database, source))) return false
      // Another process that just opened the log may have swept it as nobody's.
      if (output.bytes > 0 && segments.sizeOf(output.segment) !== output.bytes) return false
      for (const { segment } of sources) {
        for (const table of ['segment', 'sparse']) {
          const remove = `DELETE FROM ${table} WHERE partition = ? AND base = ?`
          database.run(remove, partition, segment.base)
        }
      }
      if (output.bytes === 0) return true
      database.run(
        'INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, 1, ?)',
        ...[partition, base, generation, sources.at(-1)!.next],
        ...[output.bytes, output.timestampMax, cleanableAt]
      )
      for (const { offset, position } of output.index) {
        database.run('INSERT INTO sparse VALUES (?, ?, ?, ?)', partition, base, offset, position)
      }
      return true
    },
    { isDurable: true }
  )
  if (isSwapped) log.wakeup.nudge()
  return isSwapped
}

function isCurrent(database: Database, { segment }: Source): boolean {
  const row = database.get(
    'SELECT generation FROM segment WHERE partition = ? AND base = ?',
    segment.partition,
    segment.base
  )
  return row !== undefined && integer(row, 'generation') === segment.generation
}

function sourceOf(row: Row, partition: number): Source {
  return {
    segment: { partition, base: integer(row, 'base'), generation: integer(row, 'generation') },
    next: integer(row, 'next'),
    bytes: integer(row, 'bytes'),
    cleanableAt: integerOrNull(row, 'cleanable_at')
  }
}

function rangeOf({ segment, bytes }: Source): {
  readonly segment: SegmentId
  readonly from: number
  readonly to: number
} {
  return { segment, from: 0, to: bytes }
}

/** Latin-1 keeps every byte, so that equal texts are equal keys. */
function keyOf(cursor: BatchCursor): string {
  return cursor.bytes.toString('latin1', cursor.keyStart, cursor.keyEnd)
}
