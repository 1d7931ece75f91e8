// Bad input on Kafka, row by row: the same records, and the same of everything that is left.
import { after, before, test } from 'node:test'
import { badInput, titleOf } from '../runtime/bad-input-rows.ts'
import { tryRow } from '../runtime/bad-input-trial.ts'
import { testBroker, type TestBroker } from './broker.ts'
import { KafkaLog } from './kafka-log.ts'

const timeout = 120_000
let broker: TestBroker
before(
  async () => {
    broker = await testBroker()
  },
  { timeout }
)
after(() => broker[Symbol.asyncDispose]())

for (const row of badInput) {
  test(titleOf(row), { timeout }, async (t) => {
    const log = await KafkaLog.open(t, broker.url)
    await tryRow(log, row)
    // Many tests meet on a broker, and each of its partitions costs it.
    const made = ['in', 'out', 'strange', 'dead', 'sums-changelog', 'things-changelog']
    await log.transport.admin().delete([...made, 'wide-changelog'].map((title) => log.name(title)))
  })
}
