// The transport suite: every sentence of the transport port, as tests that any log must pass.

import { adminCases } from './admin-cases.ts'
import { connectionCases } from './connection-cases.ts'
import { fetchCases } from './fetch-cases.ts'
import { fetchRangeCases } from './fetch-range-cases.ts'
import { groupCases } from './group-cases.ts'
import { producerCases } from './producer-cases.ts'
import { type Case, registerSuite, type Skip } from './suite.ts'
import { transactionCases } from './transaction-cases.ts'
import type { ConformanceFeatures, ConformanceLog } from './transport-scene.ts'
import { TransportScene } from './transport-scene.ts'

/** A transport, and how to make logs for it. */
export interface TransportConformance {
  /** Printed before each case. */
  readonly name: string
  /** Makes an empty log of its own for one case. */
  readonly create: () => Promise<ConformanceLog>
  /** What the suite must know to ask the right things. */
  readonly features: ConformanceFeatures
  /** Cases that cannot hold, each with its reason. */
  readonly skip?: readonly Skip[]
}

export const transportCases: readonly Case<TransportScene>[] = [
  ...connectionCases,
  ...adminCases,
  ...producerCases,
  ...transactionCases,
  ...fetchCases,
  ...fetchRangeCases,
  ...groupCases
]

/**
 * Registers the suite with `node:test`: one test for each promise of the `Transport` port, from the
 * order of records to fenced transactions and groups.
 *
 * @throws TAILRACE_BUG_INVARIANT for a skip that names no case or gives no reason
 */
export function transportConformance(conformance: TransportConformance): void {
  registerSuite<TransportScene>({
    name: conformance.name,
    cases: transportCases,
    skip: conformance.skip ?? [],
    async open() {
      const log = await conformance.create()
      return new TransportScene(log, await log.connect(), conformance.features)
    }
  })
}
