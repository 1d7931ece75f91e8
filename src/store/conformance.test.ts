// Both stores against the exported suite.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '../conformance/store.ts'
import { createLevelStore } from './level.ts'
import { createMemoryStore } from './memory.ts'

storeConformance({
  name: 'level',
  async create() {
    const directory = await mkdtemp(join(tmpdir(), 'tailrace-store-'))
    return {
      make: () => createLevelStore({ directory }),
      dispose: () => rm(directory, { recursive: true })
    }
  }
})

const reason = 'it is empty at each open and shared with nobody: the changelog is its memory'

storeConformance({
  name: 'memory',
  create: async () => ({ make: createMemoryStore, dispose: async () => undefined }),
  skip: [
    { test: 'what was written is there after a reopen, with its checkpoint', reason },
    { test: 'a store that is open is refused to another until it is closed', reason },
    { test: 'the store of another app is refused, and stays whole for its own', reason }
  ]
})
