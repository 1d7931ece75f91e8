// What keeps the tables of a worker: chosen by name, loaded when it is first needed.
import { join } from 'node:path'
import type { Store } from '../port/store.ts'
import type { ResolvedOptions } from './options.ts'

/** An open store; whoever asked for it closes it. */
export async function openStore(parts: {
  readonly store: ResolvedOptions['store']
  /** The worker's own directory, locked by it. */
  readonly directory: string
  readonly app: string
}): Promise<Store> {
  const directory = join(parts.directory, 'tables')
  const store = await made(parts.store, directory)
  await store.open({ app: parts.app })
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
