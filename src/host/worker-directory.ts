// The data directory of one worker: its own where one is named, else the first that is free.
import { basename, join } from 'node:path'
import { claimDataDirectory, type DataDirectory } from './data-directory.ts'
import type { ResolvedOptions } from './options.ts'

/** Undefined where tables are in memory: they leave nothing behind, so there is nothing to lock. */
export async function claimWorkerDirectory(
  app: string,
  { datadir, isDatadirDefault, store }: ResolvedOptions
): Promise<DataDirectory | undefined> {
  if (store === 'memory') return undefined
  // A worker's own directory may be named; any other is the parent that its workers share.
  // Nobody chose the default, so apps that are tried in one folder must not meet there.
  const isOwn = /^worker-\d+$/.test(basename(datadir))
  const parent = isDatadirDefault ? join(datadir, app) : datadir
  return claimDataDirectory(isOwn ? { app, explicit: datadir } : { app, parent })
}
