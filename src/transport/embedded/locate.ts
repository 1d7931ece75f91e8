// Finds where in which segment an offset lies.

import { findBatch, readBatches } from './batches.ts'
import type { Database, Row } from './database.ts'
import { integer, integerOrNull } from './database.ts'
import type { SegmentFiles, SegmentId } from './segments.ts'

/** The committed state of a partition. */
export interface PartitionState {
  readonly start: number
  readonly next: number
  /** Base of the active segment, and its committed end. */
  readonly segment: number
  readonly position: number
}

/** A place in a segment where reading goes on. */
export interface Place {
  readonly segment: SegmentId
  position: number
  /** Committed end and next offset of a sealed segment; undefined while it is active. */
  readonly sealed: { readonly bytes: number; readonly next: number } | undefined
}

export function partitionStates(database: Database): ReadonlyMap<number, PartitionState> {
  const states = new Map<number, PartitionState>()
  for (const row of database.all('SELECT id, start, next, segment, position FROM partition')) {
    states.set(integer(row, 'id'), stateOf(row))
  }
  return states
}

export function partitionState(database: Database, id: number): PartitionState | undefined {
  const select = 'SELECT start, next, segment, position FROM partition WHERE id = ?'
  const row = database.get(select, id)
  return row === undefined ? undefined : stateOf(row)
}

function stateOf(row: Row): PartitionState {
  return {
    start: integer(row, 'start'),
    next: integer(row, 'next'),
    segment: integer(row, 'segment'),
    position: integer(row, 'position')
  }
}

// One statement, hence one snapshot: a compaction between two could swap what the first one saw.
const columns = 'base, generation, next, bytes'
const selectHolding = `
  SELECT ${columns}, (
    SELECT position FROM sparse i
    WHERE i.partition = s.partition AND i.base = s.base AND i.offset <= ?2
    ORDER BY i.offset DESC LIMIT 1
  ) AS position
  FROM segment s WHERE s.partition = ?1 AND s.base <= ?2 ORDER BY s.base DESC LIMIT 1`
const selectAfter = `
  SELECT ${columns}, 0 AS position FROM segment
  WHERE partition = ? AND base > ? ORDER BY base LIMIT 1`

/**
 * The place at or shortly before the batch with `offset`, or where the next one after it begins
 * when compaction took it. Undefined when nothing follows.
 */
export function locate(database: Database, partition: number, offset: number): Place | undefined {
  const holding = database.get(selectHolding, partition, offset)
  const next = holding === undefined ? 0 : integerOrNull(holding, 'next')
  const isPast = next !== null && next <= offset
  const row = isPast ? database.get(selectAfter, partition, offset) : holding
  return row === undefined ? undefined : placeOf(row, partition)
}

function placeOf(row: Row, partition: number): Place {
  const next = integerOrNull(row, 'next')
  return {
    segment: { partition, base: integer(row, 'base'), generation: integer(row, 'generation') },
    position: integerOrNull(row, 'position') ?? 0,
    sealed: next === null ? undefined : { bytes: integer(row, 'bytes'), next }
  }
}

/** Bytes looked through at a time: one step of the sparse index, mostly. */
const seekBytes = 128 * 1024

/** Moves a place to the batch that holds `offset`, or the first after it, or the end `to`. */
export function seekBatch(
  files: SegmentFiles,
  { place, offset, to }: { readonly place: Place; readonly offset: number; readonly to: number }
): void {
  const range = { segment: place.segment, from: place.position, to }
  for (const { bytes, position } of readBatches(files, range, seekBytes)) {
    const at = findBatch(bytes, offset)
    place.position = position + at
    if (at < bytes.length) return
  }
}
