// The broker of a bench: the one that TAILRACE_TEST_KAFKA names, or one of its own.
import { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { cpuMs } from './process-tree.ts'

export interface Broker {
  /** `host:port`. */
  readonly address: string
  /** Its processor time; 0 where it is somebody else's process. */
  cpuMs(): number
  close(): Promise<void>
}

export async function openBroker(): Promise<Broker> {
  const given = process.env['TAILRACE_TEST_KAFKA']
  if (given !== undefined && given !== '') {
    const address = given.replace(/^kafka:\/\//, '')
    console.error(`the broker is ${address}; what it takes of the machine counts as others'`)
    return { address, cpuMs: () => 0, close: () => Promise.resolve() }
  }
  const cluster = await KafkaCluster.start({ heapMb: 1_024, jvm: 'steady', config: asInUse })
  const { pid } = cluster.node()
  return {
    address: cluster.servers(),
    cpuMs: () => (pid === undefined ? 0 : cpuMs(pid)),
    close: () => cluster.stop()
  }
}

/** Kafka's own defaults where a broker for tests is hurried: a cleaner would take its share. */
const asInUse = {
  'log.cleaner.backoff.ms': '15000',
  'log.cleaner.dedupe.buffer.size': '134217728',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '10000'
}
