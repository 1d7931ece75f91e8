// Damage that reading met: a mark in the store's directory, so that the next start does not go on
// with rows that it may not be able to read.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TailraceError } from '../core/errors.ts'

const mark = 'DAMAGED'

/** Before the error goes on: the process may end of it. */
export function markDamaged(directory: string): void {
  try {
    writeFileSync(join(directory, mark), '')
  } catch {
    // What cannot be written either is found out again by the next read.
  }
}

/** @throws TAILRACE_STATE_CORRUPT when an earlier run met damage */
export function refuseDamaged(directory: string): void {
  if (!existsSync(join(directory, mark))) return
  throw new TailraceError(
    'TAILRACE_STATE_CORRUPT',
    `An earlier run met damaged files in ${directory}.`,
    { hint: `Delete ${directory}: it is rebuilt from the changelogs.` }
  )
}
