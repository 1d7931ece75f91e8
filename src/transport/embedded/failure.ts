// Turns what SQLite and the file system throw into errors that say what to do.

import type { ErrorCode } from '../../core/errors.ts'
import { messageOf, TailraceError } from '../../core/errors.ts'

export interface FailureSite {
  /** What was being done, as in "the log in /x could not be <written>". */
  readonly verb: string
  readonly directory: string
  /** True when the caller knows that nothing was left behind. */
  readonly isDefinite: boolean
}

/** The error for a failure of SQLite or of a file; one that is ours already stays as it is. */
export function failureOf(error: unknown, site: FailureSite): TailraceError {
  if (error instanceof TailraceError) return error
  // Readers look for a file that others moved; one that stays away is lost.
  const isLost = isMissing(error) && site.verb !== 'opened'
  const code = isLost ? 'TAILRACE_TRANSPORT_CORRUPT' : codeOf(error)
  return new TailraceError(
    code,
    `the log in ${site.directory} could not be ${site.verb}: ${messageOf(error)}`,
    {
      cause: error,
      isDefinite: site.isDefinite,
      ...(isOutOfDescriptors(error) && { hint: 'Raise the limit of open files (`ulimit -n`).' })
    }
  )
}

/** True when another connection holds a lock: the same call may work in a moment. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === sqlite.busy || code === sqlite.locked || code === sqlite.protocol
}

/** True for a missing file: a segment may be deleted while another process looks for it. */
export function isMissing(error: unknown): boolean {
  return systemCode(error) === 'ENOENT'
}

/** True when the process, or the machine, has as many files open as it may. */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

export function isDiskFull(error: unknown): boolean {
  return codeOf(error) === 'TAILRACE_STATE_FULL'
}

/** Primary result codes of SQLite; extended ones carry them in their low byte. */
const sqlite = {
  busy: 5,
  locked: 6,
  readonly: 8,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  notDatabase: 26
} as const

function codeOf(error: unknown): ErrorCode {
  if (error instanceof TailraceError) return error.code
  const fromSqlite = sqliteCode(error)
  if (fromSqlite !== undefined)
    return sqliteMeaning.get(fromSqlite) ?? 'TAILRACE_TRANSPORT_UNAVAILABLE'
  return systemMeaning.get(systemCode(error) ?? '') ?? 'TAILRACE_TRANSPORT_UNAVAILABLE'
}

const sqliteMeaning: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [sqlite.readonly, 'TAILRACE_STATE_UNWRITABLE'],
  [sqlite.cannotOpen, 'TAILRACE_STATE_UNWRITABLE'],
  [sqlite.corrupt, 'TAILRACE_TRANSPORT_CORRUPT'],
  [sqlite.full, 'TAILRACE_STATE_FULL'],
  [sqlite.notDatabase, 'TAILRACE_STATE_FOREIGN']
])

// A file-size limit (EFBIG) is a disk that is full for this process.
const systemMeaning: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['EACCES', 'TAILRACE_STATE_UNWRITABLE'],
  ['EDQUOT', 'TAILRACE_STATE_FULL'],
  ['EEXIST', 'TAILRACE_STATE_UNWRITABLE'],
  ['EFBIG', 'TAILRACE_STATE_FULL'],
  ['ENOSPC', 'TAILRACE_STATE_FULL'],
  ['ENOTDIR', 'TAILRACE_STATE_UNWRITABLE'],
  ['EPERM', 'TAILRACE_STATE_UNWRITABLE'],
  ['EROFS', 'TAILRACE_STATE_UNWRITABLE']
])

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
