// Our raw read as it is measured: one fetcher, every record walked, its key and value looked at.
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'

const env = (name: string): string => process.env[name] ?? ''
const topic = env('IN_TOPIC')
const records = Number(env('N'))

const transport = createKafkaTransport({ url: `kafka://${env('BROKER')}` })
await transport.open()
const startedAt = performance.now()
const fetcher = await transport.fetcher()
fetcher.add(
  Array.from({ length: Number(env('PARTITIONS')) }, (_, partition) => ({
    topic,
    partition,
    offset: 0
  }))
)
const cursor = new BatchCursor()
let seen = 0
let bytes = 0
while (seen < records) {
  for (const chunk of await fetcher.fetch({ bytesMax: 64 << 20, waitMaxMs: 1_000 })) {
    cursor.reset(chunk.bytes, 0)
    while (cursor.next()) {
      seen++
      bytes += (cursor.key()?.length ?? 0) + (cursor.value()?.length ?? 0)
    }
  }
}
const ms = performance.now() - startedAt
process.stdout.write(`${JSON.stringify({ ev: 'read', t: Date.now(), n: seen, ms, bytes })}\n`)
await fetcher.close()
await transport.close()
