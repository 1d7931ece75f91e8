// The store suite: every sentence of the store port, as tests that any store must pass.

import { setImmediate } from 'node:timers/promises'
import type { Store } from '../port/store.ts'
import { storeCases } from './store-cases.ts'
import type { StoreScene } from './store-scene.ts'
import type { Skip } from './suite.ts'
import { registerSuite } from './suite.ts'

/** A place made for one case: an empty directory, or nothing at all. */
export interface ConformancePlace {
  /** A store on this place, not yet open. */
  make(): Store
  /** Removes the place; every store on it is closed by then. */
  dispose(): Promise<void>
}

/** A store, and how to make places for it. */
export interface StoreConformance {
  /** Printed before each case. */
  readonly name: string
  /** Makes an empty place for one case. */
  readonly create: () => Promise<ConformancePlace>
  /** Cases that cannot hold, each with its reason. */
  readonly skip?: readonly Skip[]
}

/**
 * Registers the suite with `node:test`: one test for each promise of the `Store` port.
 *
 * @throws TAILRACE_BUG_INVARIANT for a skip that names no case or gives no reason
 * @example
 * import { createMemoryStore } from 'tailrace/store/memory'
 * import { storeConformance } from 'tailrace/testing/conformance'
 * storeConformance({
 *   name: 'memory',
 *   create: async () => ({ make: createMemoryStore, dispose: async () => undefined })
 * })
 */
export function storeConformance(conformance: StoreConformance): void {
  registerSuite<StoreScene>({
    name: conformance.name,
    cases: storeCases,
    skip: conformance.skip ?? [],
    async open() {
      const place = await conformance.create()
      const store = place.make()
      await store.open({ app: 'app' })
      return {
        store,
        make: () => place.make(),
        turn: () => setImmediate(),
        async dispose() {
          await store.close()
          await place.dispose()
        }
      }
    }
  })
}
