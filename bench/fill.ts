// A process of its own that writes the page views, so that no worker shares its heap.
import { murmur2Partitioner } from '../src/core/partitioner.ts'
import { createTopics, openLog } from './log.ts'
import { inputTopic, pageName, partitions, viewsOf, viewText } from './page-views.ts'

const transactionBytes = 3 << 20

const [directory = '', events = '0', base = '0'] = process.argv.slice(2)
const transport = await openLog(directory)
await createTopics(transport.admin(), [inputTopic])
const producer = await transport.transactionalProducer('bench-fill')
await producer.begin()
for (const view of viewsOf({ events: Number(events), base: Number(base) })) {
  const key = Buffer.from(pageName(view.page))
  producer.append('fill', {
    topic: inputTopic,
    partition: murmur2Partitioner.partition(key, partitions),
    key,
    value: Buffer.from(viewText(view)),
    timestamp: view.timestamp
  })
  if (producer.pendingBytes < transactionBytes) continue
  await producer.end()
  await producer.begin()
}
await producer.end()
await producer.close()
await transport.close()
