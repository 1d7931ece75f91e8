// Bad input on Kafka, row by row: the same records, and the same of everything that is left.
import { badInput, titleOf } from '../runtime/bad-input-rows.ts'
import { tryRow } from '../runtime/bad-input-trial.ts'
import { testsOnKafka } from './on-kafka.ts'

const onKafka = testsOnKafka(120_000)

for (const row of badInput) {
  onKafka(titleOf(row), async (log) => {
    await tryRow(log, row)
    // Many tests meet on a broker, and each of its partitions costs it.
    const made = ['in', 'out', 'strange', 'dead', 'sums-changelog', 'things-changelog']
    await log.transport.admin().delete([...made, 'wide-changelog'].map((title) => log.name(title)))
  })
}
