// The data directory of one worker: its own where one is named, else the first that is free.
import { basename, join } from 'node:path'
import { claimDataDirectory, type DataDirectory } from './data-directory.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import type { ResolvedOptions } from './options.ts'

/** Undefined where tables are in memory: they leave nothing behind, so there is nothing to lock. */
export async function claimWorkerDirectory(
  app: string,
  options: ResolvedOptions,
  node?: NodePlace
): Promise<DataDirectory | undefined> {
  const { datadir, store } = options
  if (store === 'memory') return undefined
  // A worker's own directory may be named; any other is the parent that its workers share.
  const isOwn = isOneWorkers(datadir)
  const parent = parentOf(app, options)
  if (node !== undefined) {
    return claimDataDirectory({ app, explicit: join(parent, `worker-${node.id}`) })
  }
  return claimDataDirectory(isOwn ? { app, explicit: datadir } : { app, parent })
}

/** Where the workers of an app have theirs, unless `datadir` is one worker's own. */
export function parentOf(
  app: string,
  { datadir, isDatadirDefault }: Pick<ResolvedOptions, 'datadir' | 'isDatadirDefault'>
): string {
  // Nobody chose the default, so apps that are tried in one folder must not meet there.
  return isDatadirDefault ? join(datadir, app) : datadir
}

/** True for a directory that by its name belongs to one worker. */
export function isOneWorkers(datadir: string): boolean {
  return /^worker-\d+$/.test(basename(datadir))
}
