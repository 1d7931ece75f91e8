// What the parts of one connection to the log share, and the order in which it opens and closes.

import type { Clock } from '../../port/clock.ts'
import { Catalog } from './catalog.ts'
import { closedError, Database } from './database.ts'
import type { LogPaths } from './directory.ts'
import { logPaths, prepareDirectory } from './directory.ts'
import { recover } from './recovery.ts'
import { logSchema } from './schema.ts'
import { SegmentFiles } from './segments.ts'
import { Wakeup } from './wake.ts'
import { Writer } from './writer.ts'

export interface LogOptions {
  readonly directory: string
  readonly clock: Clock
  readonly synchronous: 'normal' | 'full'
}

/** One connection to the log: a thread has its own. */
export interface Log {
  readonly paths: LogPaths
  readonly clock: Clock
  readonly database: Database
  readonly catalog: Catalog
  readonly segments: SegmentFiles
  readonly wakeup: Wakeup
  readonly writer: Writer
  /** Raised when the machine was started anew: newer records may have been lost. */
  readonly leaderEpoch: number
  readonly isFull: boolean
  /** What was opened on it and not yet closed. */
  readonly users: Set<Closable>
}

export interface Closable {
  close(): Promise<void>
}

/** Makes the log where there is none, and sees to what a crash of the machine left. */
export async function openLog(options: LogOptions): Promise<Log> {
  const { clock, synchronous } = options
  const paths = logPaths(options.directory)
  const { directory } = paths
  prepareDirectory(paths)
  const file = paths.log
  const database = await Database.open({ file, directory, schema: logSchema, synchronous, clock })
  const segments = new SegmentFiles(paths.segments)
  try {
    const { leaderEpoch } = await recover({ database, segments })
    const catalog = new Catalog(database)
    await database.attempt(() => catalog.refresh())
    const wakeup = new Wakeup({ file: paths.logNudge, clock, version: () => database.version() })
    const isFull = synchronous === 'full'
    const shared = { clock, database, catalog, segments, wakeup, leaderEpoch, isFull }
    const writer = new Writer({ ...shared, directory })
    return { ...shared, paths, writer, users: new Set() }
  } catch (error) {
    segments.close()
    database.close()
    throw error
  }
}

/** Settles what was sent, then lets go of everything. */
export async function closeLog(log: Log): Promise<void> {
  for (const user of [...log.users]) await user.close()
  await log.writer.close()
  log.wakeup.close()
  log.segments.close()
  log.database.close()
}

/** Refuses to go on with a part that was closed. */
export function checkOpen(log: Log, isOpen: boolean): void {
  if (!isOpen) throw closedError(log.paths.directory)
}
