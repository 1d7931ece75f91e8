// Which directory a worker keeps its state in: a place of its own, held until its process ends.
//
// The lock is an SQLite file in an exclusive transaction. That is a lock of the operating system
// on an open file: it ends with the process, however that ends, and needs no pid file that could
// lie after a kill -9. Nothing else may open `lock.db` by `fs` in the same process: on POSIX,
// closing any descriptor of a file drops all locks that the process has on it.

import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, statfs } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { TailraceError } from '../core/errors.ts'
import { fileSystemType } from '../core/file-system-type.ts'
import { directoryError } from '../store/directory-errors.ts'

/** Claims `worker-N` below a directory that workers share, or one directory by its name. */
export type DataDirectoryClaim = { readonly app: string } & (
  | { readonly parent: string }
  | { readonly explicit: string }
)

export interface DataDirectory {
  readonly path: string
  /** N of `worker-N`; 0 for a directory claimed by its name. */
  readonly index: number
  /** Made once for the directory: the second half of the worker's transactional id. */
  readonly instanceId: string
  /** Lets another worker have it. */
  release(): Promise<void>
}

/**
 * Finds and locks the directory of this worker; makes what does not exist, for its owner only.
 *
 * @throws TAILRACE_STATE_LOCKED when the directory named is in use,
 *   TAILRACE_STATE_FOREIGN when it belongs to another app or a newer version,
 *   TAILRACE_STATE_NETWORK_DISK, TAILRACE_STATE_UNWRITABLE, TAILRACE_STATE_CORRUPT
 */
export async function claimDataDirectory(claim: DataDirectoryClaim): Promise<DataDirectory> {
  if ('explicit' in claim) {
    const path = resolve(claim.explicit)
    await prepare(path)
    const claimed = await tryClaim({ path, index: 0, app: claim.app })
    if (claimed !== undefined) return claimed
    throw new TailraceError(
      'TAILRACE_STATE_LOCKED',
      `The data directory ${path} is in use by another worker.`
    )
  }
  const parent = resolve(claim.parent)
  await prepare(parent)
  for (let index = 0; index < workersMax; index += 1) {
    const path = join(parent, `worker-${index}`)
    const claimed = await tryClaim({ path, index, app: claim.app })
    if (claimed !== undefined) return claimed
  }
  throw new TailraceError(
    'TAILRACE_STATE_LOCKED',
    `All of worker-0 to worker-${workersMax - 1} in ${parent} are in use.`
  )
}

/** Workers of one app on one machine; more is a mistake in a script that starts them. */
const workersMax = 1024

/** Two claims at the same moment can each see the other's half-taken lock. */
const lockWaitMs = 25

/** Raised when the layout of the directory changes; an older version then refuses it. */
const format = 1

/** Held here as well, so that no garbage collection closes the file and with it the lock. */
const held = new Set<DatabaseSync>()

interface Place {
  readonly path: string
  readonly index: number
  readonly app: string
}

async function prepare(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const { name, isNetwork } = fileSystemType((await statfs(path)).type)
    // Windows gives every file system the number 0; there the path itself tells.
    const isShare = path.startsWith('\\\\')
    if (!isNetwork && !isShare) return
    throw new TailraceError(
      'TAILRACE_STATE_NETWORK_DISK',
      `The data directory ${path} is on a network file system (${isShare ? 'share' : name}).`
    )
  } catch (error) {
    throw directoryError(error, path)
  }
}

/** `undefined` when another worker has it. */
async function tryClaim({ path, index, app }: Place): Promise<DataDirectory | undefined> {
  await makeDirectory(path)
  // Before the lock too: whose it is decides first, also while its owner runs.
  await readInstance({ path, app })
  const lock = tryLock(path)
  if (lock === undefined) return undefined
  held.add(lock)
  const release = async (): Promise<void> => {
    if (held.delete(lock)) lock.close()
  }
  try {
    const instanceId = (await readInstance({ path, app })) ?? (await makeInstance({ path, app }))
    return { path, index, instanceId, release }
  } catch (error) {
    await release()
    throw directoryError(error, path)
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw directoryError(error, path)
  }
}

function tryLock(path: string): DatabaseSync | undefined {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(path, 'lock.db'), { timeout: lockWaitMs })
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock?.close()
    if (sqliteCode(error) === sqliteBusy) return undefined
    throw lockError(error, path)
  }
}

function lockError(error: unknown, path: string): TailraceError {
  if (sqliteCode(error) !== sqliteNotADatabase) return directoryError(error, path)
  return new TailraceError(
    'TAILRACE_STATE_CORRUPT',
    `The file ${join(path, 'lock.db')} is not the lock of a data directory.`,
    { hint: `Delete ${path}: it is rebuilt from the changelogs.`, cause: error }
  )
}

const sqliteBusy = 5
const sqliteNotADatabase = 26

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error && 'errcode' in error)) return undefined
  // The lower byte is the code, what stands above it tells more.
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

interface Owned {
  readonly path: string
  readonly app: string
}

/** The instance id, or `undefined` when the directory has no owner yet. */
async function readInstance({ path, app }: Owned): Promise<string | undefined> {
  const text = await readInstanceFile(path)
  if (text === undefined) return undefined
  const instance = parseRecord(text)
  const foundFormat = instance['format']
  const owner = instance['app']
  const instanceId = instance['instanceId']
  if (typeof foundFormat === 'number' && foundFormat > format) {
    throw new TailraceError(
      'TAILRACE_STATE_FOREIGN',
      `The data directory ${path} has format ${foundFormat}; this version reads up to ${format}.`
    )
  }
  if (typeof foundFormat !== 'number' || typeof owner !== 'string' || !isUuid(instanceId)) {
    throw new TailraceError(
      'TAILRACE_STATE_CORRUPT',
      `The file ${join(path, instanceFile)} does not say whose the directory is.`,
      { hint: `Delete ${path}: it is rebuilt from the changelogs.` }
    )
  }
  if (owner !== app) {
    throw new TailraceError(
      'TAILRACE_STATE_FOREIGN',
      `The data directory ${path} belongs to the app "${owner}", not to "${app}".`
    )
  }
  return instanceId
}

const instanceFile = 'instance.json'

async function readInstanceFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(join(path, instanceFile), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw directoryError(error, path)
  }
}

async function makeInstance({ path, app }: Owned): Promise<string> {
  const instanceId = randomUUID()
  const unfinished = join(path, `${instanceFile}.new`)
  const file = await open(unfinished, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify({ format, app, instanceId })}\n`)
    // Else a power loss could leave a name without its bytes.
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, join(path, instanceFile))
  return instanceId
}

function parseRecord(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)
}
