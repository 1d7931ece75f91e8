// The jobs on a disk that has no room for what they write.
import { type Store, TailraceError } from 'tailrace'
import { createMemoryStore } from 'tailrace/store/memory'
import { jobsApp } from './jobs.ts'

function fullStore(): Store {
  const store = createMemoryStore()
  const begin = store.batch.bind(store)
  const full = (): Promise<never> =>
    Promise.reject(new TailraceError('TAILRACE_STATE_FULL', 'the disk of this test is full'))
  return Object.assign(store, { batch: () => Object.assign(begin(), { write: full }) })
}

const { app: fullApp } = jobsApp({ store: fullStore })
export const app: typeof fullApp = fullApp
