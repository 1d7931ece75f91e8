// The jobs on a log that stands still in one place: STUCK says where.
import type { Coordinator, Fetcher, Transport } from 'tailrace'
import { createEmbeddedTransport } from '../../src/transport/embedded/index.ts'
import { jobsApp } from './jobs.ts'

const never = new Promise<never>(() => undefined)

/** What a worker reads jobs through is opened first, and what it restores from later. */
function stuckFetcher(transport: Transport, isStuck: (opened: number) => boolean): Transport {
  const open = transport.fetcher.bind(transport)
  let opened = 0
  const fetcher = async (): Promise<Fetcher> => {
    const one = await open()
    return isStuck(++opened) ? Object.assign(one, { fetch: () => never }) : one
  }
  return Object.assign(transport, { fetcher })
}

/** A group that never takes the member in. */
function unsettled(transport: Transport): Transport {
  const open = transport.coordinator.bind(transport)
  const coordinator = async (): Promise<Coordinator> => {
    const one = await open()
    const beat = one.beat.bind(one)
    return Object.assign(one, { beat: async () => ({ ...(await beat()), isPending: true }) })
  }
  return Object.defineProperty(Object.assign(transport, { coordinator }), 'door', {
    value: undefined
  })
}

function stuck(transport: Transport): Transport {
  switch (process.env['STUCK']) {
    case 'poll':
      return stuckFetcher(transport, (opened) => opened === 1)
    case 'restore':
      return stuckFetcher(transport, (opened) => opened > 1)
    case 'membership':
      return unsettled(transport)
    case undefined:
    default:
      throw new Error('STUCK names nothing that is known')
  }
}

const { app: stuckApp } = jobsApp({
  transport: ({ broker, clock }) => {
    const directory = broker.slice('embedded:'.length)
    return stuck(createEmbeddedTransport({ directory, clock }))
  }
})
export const app: typeof stuckApp = stuckApp
