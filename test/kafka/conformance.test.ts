// The Kafka transport against the exported suite, on a broker that expires and cleans quickly.
//
// `npm run conformance -- --transport kafka` runs this.
import { randomBytes } from 'node:crypto'
import { after } from 'node:test'
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { transportConformance } from '../../src/conformance/transport.ts'
import type { Transport } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { ownBroker } from './broker.ts'

let starting: Promise<KafkaCluster> | undefined

/** One broker for all cases: each has names of its own. */
function broker(): Promise<KafkaCluster> {
  starting ??= ownBroker({
    config: {
      'log.retention.check.interval.ms': '300',
      'log.cleaner.backoff.ms': '200',
      'log.segment.delete.delay.ms': '100',
      'log.initial.task.delay.ms': '100',
      // Kafka's own limit is a mebibyte for a batch and its head; the suite sends one in a record.
      'message.max.bytes': '4194304'
    }
  })
  return starting
}

after(async () => {
  await (await starting)?.[Symbol.asyncDispose]()
})

transportConformance({
  name: 'kafka',
  skip: [
    {
      test: 'only the fenced task is left out of a transaction, and it is named',
      reason: 'Kafka knows members and generations, not tasks: it refuses a transaction as a whole'
    }
  ],
  features: {
    sessionTimeoutMs: 1_500,
    hasMarkers: true,
    maintainsItself: true,
    eagerCompaction: {
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.0',
      'max.compaction.lag.ms': '100'
    }
  },
  async create() {
    const url = (await broker()).url()
    const opened: Transport[] = []
    return {
      clock: realClock,
      namespace: `c-${randomBytes(6).toString('hex')}-`,
      async connect() {
        const transport = createKafkaTransport({ url })
        opened.push(transport)
        await transport.open()
        return transport
      },
      async dispose() {
        for (const transport of opened) await transport.close()
      }
    }
  }
})
