// What a failing directory means to its owner: system and LevelDB errors become STATE codes.

import { type ErrorCode, TailraceError, messageOf } from '../core/errors.ts'

/**
 * Turns what the file system or LevelDB threw about `directory` into an error with a cure.
 *
 * Works on the text as well as on the code: LevelDB hands on only the sentence of strerror.
 */
export function directoryError(error: unknown, directory: string): TailraceError {
  if (error instanceof TailraceError) return error
  const root = rootOf(error)
  const text = messageOf(root)
  const code = stateCode(codeOf(root), text)
  const hint = hints[code]?.(directory, text)
  return new TailraceError(code, `${sentences[code]} ${directory}: ${text}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint })
  })
}

type StateCode = Extract<ErrorCode, `TAILRACE_STATE_${string}`>

const sentences: Readonly<Partial<Record<StateCode, string>>> = {
  TAILRACE_STATE_CORRUPT: 'Files are missing or damaged in',
  TAILRACE_STATE_FOREIGN: 'Another program has written',
  TAILRACE_STATE_FULL: 'No space is left for',
  TAILRACE_STATE_LOCKED: 'Another process, or another part of this one, has open',
  TAILRACE_STATE_UNWRITABLE: 'The system does not let us use'
}

const hints: Readonly<
  Partial<Record<StateCode, (at: string, text: string) => string | undefined>>
> = {
  TAILRACE_STATE_CORRUPT: (at) => `Delete ${at}: it is rebuilt from the changelogs.`,
  TAILRACE_STATE_UNWRITABLE: (_at, text) =>
    text.includes('Too many open files') || text.includes('EMFILE')
      ? 'Raise the limit of open files (`ulimit -n`).'
      : undefined
}

function stateCode(code: string, text: string): StateCode {
  if (code === 'LEVEL_LOCKED') return 'TAILRACE_STATE_LOCKED'
  if (fullPattern.test(text)) return 'TAILRACE_STATE_FULL'
  if (text.includes('does not match existing comparator')) return 'TAILRACE_STATE_FOREIGN'
  if (code === 'LEVEL_CORRUPTION' || lossPattern.test(text)) return 'TAILRACE_STATE_CORRUPT'
  return 'TAILRACE_STATE_UNWRITABLE'
}

const fullPattern = /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/

// LevelDB's own words: a table file that is gone, and a disk that no longer reads.
const lossPattern = /^Corruption|EIO\b|Input\/output error|IO error: .*No such file or directory/

/** LevelDB's reason stands below the general "failed to open". */
function rootOf(error: unknown): unknown {
  if (error instanceof Error && codeOf(error) === 'LEVEL_DATABASE_NOT_OPEN') {
    return error.cause ?? error
  }
  return error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
