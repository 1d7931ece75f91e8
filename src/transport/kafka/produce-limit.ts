// How large a batch of a topic may be, and how long a transaction may take: asked only to say it,
// when one was refused.

import type { ProduceCluster, ProduceLink } from './produce-cluster.ts'
import { WireReader, WireWriter } from './produce-wire.ts'

const describeConfigs = { key: 32, version: 4 }
const resources = { topic: 2, broker: 4 }

interface Asked {
  readonly resource: number
  readonly name: string
  readonly config: string
}

/** The topic's `max.message.bytes`; undefined where the broker does not tell. */
export async function batchLimitOf(
  cluster: ProduceCluster,
  topic: string
): Promise<number | undefined> {
  const asked = { resource: resources.topic, name: topic, config: 'max.message.bytes' }
  return limitOf(
    () => cluster.any('produce'),
    () => asked
  )
}

/** `transaction.max.timeout.ms` of the broker that refused; undefined where it does not tell. */
export async function transactionLimitOf(
  cluster: ProduceCluster,
  transactionalId: string
): Promise<number | undefined> {
  const config = 'transaction.max.timeout.ms'
  return limitOf(
    () => cluster.coordinator('transaction', transactionalId, 'transaction'),
    ({ broker }) => ({ resource: resources.broker, name: String(broker), config })
  )
}

async function limitOf(
  connect: () => Promise<ProduceLink>,
  ask: (link: ProduceLink) => Asked
): Promise<number | undefined> {
  try {
    const link = await connect()
    const { key, version } = describeConfigs
    return decodeLimit(await link.request(key, version, [encodeQuestion(ask(link))]))
  } catch {
    // Without the right to ask, or without an answer, the refusal alone has to do.
    return undefined
  }
}

function encodeQuestion({ config, name, resource }: Asked): Buffer {
  const writer = new WireWriter()
  writer.list([name], (one) => {
    writer.int8(resource).text(one)
    writer.list([config], (wanted) => writer.text(wanted)).end()
  })
  return writer.boolean(false).boolean(false).end().take()
}

function decodeLimit(body: Buffer): number | undefined {
  const reader = new WireReader(body)
  const values: (string | null)[] = []
  reader.int32()
  reader.list(() => {
    reader.int16()
    reader.text()
    reader.int8()
    reader.text()
    reader.list(() => {
      reader.text()
      values.push(reader.text())
      // Read-only, source, sensitive; then synonyms, type, documentation.
      for (let left = 3; left > 0; left--) reader.int8()
      reader.list(() => {
        reader.text()
        reader.text()
        reader.int8()
        reader.end()
      })
      reader.int8()
      reader.text()
      reader.end()
    })
    reader.end()
  })
  const limit = Number(values[0] ?? Number.NaN)
  return Number.isSafeInteger(limit) ? limit : undefined
}
