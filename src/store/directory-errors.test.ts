// Unit tests of directory-errors.ts, on sentences that LevelDB and Node were seen to use.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TailraceError } from '../core/errors.ts'
import { directoryError } from './directory-errors.ts'

const cases: readonly (readonly [string, string | undefined, string])[] = [
  ['IO error: lock /d/LOCK: already held by process', 'LEVEL_LOCKED', 'TAILRACE_STATE_LOCKED'],
  ['IO error: /d/000004.log: No space left on device', 'LEVEL_IO_ERROR', 'TAILRACE_STATE_FULL'],
  ['IO error: /d/000004.log: Disk quota exceeded', 'LEVEL_IO_ERROR', 'TAILRACE_STATE_FULL'],
  ["ENOSPC: no space left on device, mkdir '/d'", 'ENOSPC', 'TAILRACE_STATE_FULL'],
  ['Corruption: checksum mismatch', undefined, 'TAILRACE_STATE_CORRUPT'],
  ['Corruption: 1 missing files; e.g.: /d/5.ldb', 'LEVEL_CORRUPTION', 'TAILRACE_STATE_CORRUPT'],
  ['IO error: /d/5.ldb: No such file or directory', undefined, 'TAILRACE_STATE_CORRUPT'],
  ['IO error: /d/5.ldb: Input/output error', 'LEVEL_IO_ERROR', 'TAILRACE_STATE_CORRUPT'],
  ['Invalid argument: x does not match existing comparator', undefined, 'TAILRACE_STATE_FOREIGN'],
  ['IO error: /d/LOCK: Permission denied', 'LEVEL_IO_ERROR', 'TAILRACE_STATE_UNWRITABLE'],
  ["EACCES: permission denied, mkdir '/d'", 'EACCES', 'TAILRACE_STATE_UNWRITABLE'],
  ["ENOENT: no such file or directory, mkdir '/d'", 'ENOENT', 'TAILRACE_STATE_UNWRITABLE']
]

for (const [text, code, expected] of cases) {
  test(`"${text}" is ${expected}`, () => {
    const cause = Object.assign(new Error(text), code === undefined ? {} : { code })
    const opened = Object.assign(new Error('Database failed to open', { cause }), {
      code: 'LEVEL_DATABASE_NOT_OPEN'
    })
    for (const thrown of [cause, opened]) {
      const error = directoryError(thrown, '/d')
      assert.equal(error.code, expected)
      assert.equal(error.cause, thrown)
      assert.ok(error.message.includes('/d') && error.message.includes(text), error.message)
    }
  })
}

test('says what to do', () => {
  const lost = directoryError(new Error('Corruption: bad block'), '/data/worker-0')
  assert.equal(lost.hint, 'Delete /data/worker-0: it is rebuilt from the changelogs.')
  const files = directoryError(new Error('IO error: /d/7.ldb: Too many open files'), '/d')
  assert.match(files.hint, /ulimit -n/)
  const rights = directoryError(new Error('EACCES: permission denied'), '/d')
  assert.match(rights.hint, /owner and rights/)
})

test('leaves our own errors as they are', () => {
  const error = new TailraceError('TAILRACE_BUG_INVARIANT', 'x')
  assert.equal(directoryError(error, '/d'), error)
})
