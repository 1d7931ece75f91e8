// What keeps the tables of a worker: chosen by name, loaded when it is first needed.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../core/errors.ts'
import type { Store } from '../port/store.ts'
import type { Log } from '../runtime/log.ts'
import type { ResolvedOptions } from './options.ts'

/** An open store; whoever asked for it closes it. */
export async function openStore(parts: {
  readonly store: ResolvedOptions['store']
  /** The worker's own directory, locked by it. */
  readonly directory: string
  readonly app: string
  readonly log: Log
}): Promise<Store> {
  const directory = join(parts.directory, 'tables')
  try {
    return await opened(parts, directory)
  } catch (error) {
    // Only what we made ourselves: a store of somebody else's is not ours to delete.
    if (parts.store !== 'level' || !hasCode(error, 'TAILRACE_STATE_CORRUPT')) throw error
    const text = `the tables are damaged, and are rebuilt from their changelogs: ${error.message}`
    parts.log.warn({ err: error }, text)
    await rm(directory, { recursive: true, force: true })
    return await opened(parts, directory)
  }
}

async function opened(
  { app, store: kind }: { readonly store: ResolvedOptions['store']; readonly app: string },
  directory: string
): Promise<Store> {
  const store = await made(kind, directory)
  await store.open({ app })
  return store
}

async function made(kind: ResolvedOptions['store'], directory: string): Promise<Store> {
  if (typeof kind === 'function') return kind({ directory })
  if (kind === 'memory') {
    const { createMemoryStore } = await import('../store/memory.ts')
    return createMemoryStore()
  }
  const { createLevelStore } = await import('../store/level.ts')
  return createLevelStore({ directory })
}
