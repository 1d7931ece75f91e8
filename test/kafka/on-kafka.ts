// Tests of whole apps, each with a log of its own on the broker that all files of a run share.
import { after, before, test } from 'node:test'
import { testBroker, type TestBroker } from './broker.ts'
import { KafkaLog } from './kafka-log.ts'

type TestOnKafka = (name: string, run: (log: KafkaLog) => Promise<void>) => void

/** Called once in a file; `timeout` in ms is for the broker, and for each test. */
export function testsOnKafka(timeout: number): TestOnKafka {
  let broker: TestBroker
  before(
    async () => {
      broker = await testBroker()
    },
    { timeout }
  )
  after(() => broker[Symbol.asyncDispose]())
  return (name, run) => {
    test(name, { timeout }, async (t) => run(await KafkaLog.open(t, broker.url)))
  }
}
