// The jobs on a log of one's own that opens no door for a keeper's thread: the loop keeps itself.
import { createEmbeddedTransport } from '../../src/transport/embedded/index.ts'
import { jobsApp } from './jobs.ts'

const { app: doorlessApp } = jobsApp({
  transport: ({ broker, clock }) => {
    const directory = broker.slice('embedded:'.length)
    const transport = createEmbeddedTransport({ directory, clock })
    return Object.defineProperty(transport, 'door', { value: undefined })
  }
})
export const app: typeof doorlessApp = doorlessApp
