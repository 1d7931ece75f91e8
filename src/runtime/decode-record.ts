// Data plane. Gives an open record its event: at once, or when a schema that waits has answered.
import type { StreamEvent } from '../core/event.ts'
import { failpoint } from '../port/failpoint.ts'
import type { Decoder } from './decoder.ts'
import type { RecordPlace } from './held-record.ts'
import type { RecordUnderWay } from './open-record.ts'

/** Who waits for an event that comes later. Made once: most events come at once. */
export interface Awaiting<R> {
  /** Whether its event is still wanted. */
  readonly isWanted: (record: R) => boolean
  readonly onSettled: (record: R) => void
}

/**
 * False when the event comes later, and `onSettled` is told then. What the bytes or the schema
 * refuse becomes the record's `decodeError`.
 */
export function decodeRecord<R extends RecordUnderWay>(
  record: R,
  decoder: Decoder,
  place: RecordPlace,
  awaiting: Awaiting<R>
): boolean {
  try {
    const event = decoder.decode(place)
    if (event instanceof Promise) {
      record.phase = 'waiting'
      void settle(record, event, awaiting)
      return false
    }
    record.event = event
    failpoint('event.open')
  } catch (error) {
    record.hasDecodeError = true
    record.decodeError = error
  }
  record.phase = 'ready'
  return true
}

async function settle<R extends RecordUnderWay>(
  record: R,
  event: Promise<StreamEvent>,
  { isWanted, onSettled }: Awaiting<R>
): Promise<void> {
  const [outcome] = await Promise.allSettled([event])
  if (!isWanted(record)) return
  const isRefused = outcome.status === 'rejected'
  record.event = isRefused ? undefined : outcome.value
  record.hasDecodeError = isRefused
  record.decodeError = isRefused ? outcome.reason : undefined
  record.phase = 'ready'
  onSettled(record)
}
