// How large a batch of a topic may be: asked only to say it, when one was too large.

import type { ProduceCluster } from './produce-cluster.ts'
import { WireReader, WireWriter } from './produce-wire.ts'

const describeConfigs = { key: 32, version: 4 }
const topicResource = 2
const configName = 'max.message.bytes'

/** The topic's `max.message.bytes`; undefined where the broker does not tell. */
export async function batchLimitOf(
  cluster: ProduceCluster,
  topic: string
): Promise<number | undefined> {
  try {
    const link = await cluster.any('produce')
    const { key, version } = describeConfigs
    return decodeLimit(await link.request(key, version, [encodeQuestion(topic)]))
  } catch {
    // Without the right to ask, or without an answer, the refusal alone has to do.
    return undefined
  }
}

function encodeQuestion(topic: string): Buffer {
  const writer = new WireWriter()
  writer.list([topic], (name) => {
    writer.int8(topicResource).text(name)
    writer.list([configName], (config) => writer.text(config)).end()
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
