// The log's directory: refused on a network disk or where it cannot be written, made with 0700.

import { accessSync, constants, existsSync, mkdirSync, statfsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { TailraceError } from '../../core/errors.ts'
import { fileSystemType } from '../../core/file-system-type.ts'
import { failureOf } from './failure.ts'

/** Where everything of a log lies. */
export interface LogPaths {
  readonly directory: string
  readonly log: string
  readonly groups: string
  readonly segments: string
  readonly logNudge: string
  readonly groupsNudge: string
}

export function logPaths(directory: string): LogPaths {
  const root = resolve(directory)
  return {
    directory: root,
    log: join(root, 'log.db'),
    groups: join(root, 'groups.db'),
    segments: join(root, 'segments'),
    // Each nudge has a folder of its own: where a folder is what can be watched, nothing else
    // that happens to the log wakes anybody.
    logNudge: join(root, 'nudge', 'log', 'byte'),
    groupsNudge: join(root, 'nudge', 'groups', 'byte')
  }
}

/**
 * Makes the directories.
 *
 * @throws TAILRACE_STATE_NETWORK_DISK, TAILRACE_STATE_UNWRITABLE, TAILRACE_STATE_FULL
 */
export function prepareDirectory(paths: LogPaths): void {
  try {
    refuseNetworkDisk(paths.directory, statfsSync(nearestExisting(paths.directory)).type)
    const made = [
      paths.directory,
      paths.segments,
      dirname(paths.logNudge),
      dirname(paths.groupsNudge)
    ]
    for (const path of made) mkdirSync(path, { recursive: true, mode: 0o700 })
    accessSync(paths.directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw failureOf(error, { verb: 'opened', directory: paths.directory, isDefinite: true })
  }
}

/** @throws TAILRACE_STATE_NETWORK_DISK for the `type` that `statfs` gives for such a disk. */
export function refuseNetworkDisk(directory: string, type: number): void {
  const { name, isNetwork } = fileSystemType(type)
  if (!isNetwork && !directory.startsWith('\\\\')) return
  throw new TailraceError(
    'TAILRACE_STATE_NETWORK_DISK',
    `the log's directory ${directory} is on a network file system ` +
      `(${isNetwork ? name : 'UNC path'})`,
    { isDefinite: true }
  )
}

function nearestExisting(path: string): string {
  let at = path
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at)
  return at
}
