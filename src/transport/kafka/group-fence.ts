// Ends what a departed member left open: its transaction is aborted, and its producer refused from
// then on, so that whoever takes its tasks need not wait for that transaction to time out.

import type { JoinRequest } from '../../port/coordinator.ts'
import type { Cluster } from './cluster.ts'
import { initProducerIdV5, listTransactionsV1 } from './library.ts'
import { failure, KafkaFailure, kafka, throwIf } from './protocol-failure.ts'

/** Of the producer that nobody will use; long enough for any broker, short if it ever counted. */
const transactionTimeoutMs = 60_000
/** Longer than an abort takes; then the transaction's own timeout has to do it. */
const fenceMsMax = 60_000

/** Resolves when each of these producers is fenced, or cannot be. */
export async function fenceProducers(
  transactionalIds: readonly string[],
  cluster: Cluster,
  signal: AbortSignal
): Promise<void> {
  await Promise.all(
    transactionalIds.map(async (id) => {
      try {
        const options = { timeoutMs: fenceMsMax, signal }
        await cluster.retry('fencing', () => fence(id, cluster), options)
      } catch (error) {
        // No rights to it, or no coordinator for so long: readers of what it left wait for its
        // transaction to time out, and the group's generation refuses its commits in any case.
        if (!(error instanceof KafkaFailure)) throw error
      }
    })
  )
}

/**
 * The producers of this app that have a transaction open and are not known: whoever left them is
 * remembered by nobody. Empty where that cannot be found out.
 */
export async function findStrangers(parts: {
  readonly cluster: Cluster
  readonly request: JoinRequest
  readonly known: readonly string[]
  readonly signal: AbortSignal
}): Promise<readonly string[]> {
  const { cluster, known, request, signal } = parts
  const { group, transactionalId: own = '' } = request
  // Ids of one app have one length, so those of `shop-eu` are not taken for those of `shop`.
  const isOurs = (id: string): boolean => id.length === own.length && id.startsWith(`${group}-`)
  const options = { timeoutMs: fenceMsMax, signal }
  try {
    const open = await cluster.retry('listing transactions', () => openOnes(cluster), options)
    return open.filter((id) => isOurs(id) && id !== own && !known.includes(id))
  } catch (error) {
    // As with one that cannot be fenced.
    if (!(error instanceof KafkaFailure)) throw error
    return []
  }
}

/** Of the whole cluster; each broker knows those that it coordinates. */
async function openOnes(cluster: Cluster): Promise<readonly string[]> {
  const { brokers } = await cluster.describe([])
  const answers = await Promise.all(
    brokers.map(async ({ nodeId }) => {
      const link = await cluster.link(nodeId, 'transaction')
      const answer = await link.call(listTransactionsV1.api, ['Ongoing'], [], -1n, null)
      throwIf(answer.errorCode, 'listing transactions')
      return answer.transactionStates.map(({ transactionalId }) => transactionalId)
    })
  )
  return answers.flat()
}

async function fence(id: string, cluster: Cluster): Promise<void> {
  const link = await cluster.coordinator('transaction', id, 'transaction')
  // Without the id and epoch of its producer, the broker takes the next epoch: the old one is out.
  const answer = await link.call(initProducerIdV5.api, id, transactionTimeoutMs, -1n, -1)
  if (answer.errorCode === kafka.none) return
  const refused = failure(answer.errorCode, `fencing ${id}`)
  if (refused.isCoordinatorMoved) cluster.forgetCoordinator('transaction', id)
  throw refused
}
