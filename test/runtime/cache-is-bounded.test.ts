// Decoded rows in memory: bounded in bytes under more keys than fit, whatever their size, and no
// row is lost or old because it had to leave.
import assert from 'node:assert/strict'
import { z } from 'zod'
import {
  type App,
  murmur2Partitioner,
  type Table,
  tumbling,
  type Window,
  type Worker
} from 'tailrace'
import { type EmbeddedLog, onLog } from './embedded-log.ts'

const keys = 400
const rounds = 6
const bytesMax = 64 * 1_024

const Row = z.object({ n: z.number(), text: z.string(), list: z.array(z.number()) })
type Row = z.infer<typeof Row>

interface Filled {
  readonly app: App
  readonly rows: Table<string, Row, Row | undefined, undefined>
  readonly panes: Table<string, number, number, Window<'one'>>
  readonly watched: { worker: Worker | undefined; bytesMax: number }
}

/** Each record writes a row of `bytes` bytes or so, and one in a window. */
function filling(log: EmbeddedLog, bytes: number): Filled {
  // Commits come from pressure alone, or from the interval.
  const app = log.app({ cacheBytesMax: bytesMax, commitInterval: 1_000 })
  const source = app.topic('in', { key: z.string(), value: z.number(), partitions: 2 })
  const rows = app.table('rows', { key: z.string(), value: Row })
  const panes = app.table('panes', {
    key: z.string(),
    value: z.number(),
    initial: () => 0,
    window: tumbling('1h', { retention: '1d' })
  })
  const watched: Filled['watched'] = { worker: undefined, bytesMax: 0 }
  app.each('fill', { source, tables: { rows, panes } }, (event, { rows, panes }) => {
    watched.bytesMax = Math.max(watched.bytesMax, watched.worker?.status().cacheBytes ?? 0)
    const n = (rows.get(event.key)?.n ?? 0) + event.value
    rows.set(event.key, { n, text: 'x'.repeat(bytes), list: [1, 2, 3] })
    panes.at(event).update(event.key, (one) => one + 1)
  })
  return { app, rows, panes, watched }
}

for (const bytes of [10, 1_000, 20_000]) {
  onLog(`rows of ${bytes} characters: the limit holds, but for one event`, async (log) => {
    const producer = await log.transport.producer()
    const { app, panes, rows, watched } = filling(log, bytes)
    await log.create('in', 2)
    const timestamp = Date.now()
    const hour = Math.floor(timestamp / 3_600_000) * 3_600_000
    const sends = Array.from({ length: keys * rounds }, (_, index) => {
      const key = Buffer.from(`key-${index % keys}`)
      const partition = murmur2Partitioner.partition(key, 2)
      const value = Buffer.from('1')
      return producer.send({ topic: 'in', partition, key, value, timestamp: hour + index })
    })
    await Promise.all(sends)
    await producer.close()
    watched.worker = await log.start(app)
    await log.settled(watched.worker, 'in')
    const oneEvent = bytes * 2 + 2_000
    assert.ok(watched.bytesMax > bytesMax / 2, `only ${watched.bytesMax} bytes were ever held`)
    assert.ok(watched.bytesMax <= bytesMax + oneEvent, `${watched.bytesMax} bytes were held`)
    const counts = await Array.fromAsync(rows.scan({ limit: 10_000 }), ([, { n }]) => n)
    assert.deepEqual(counts, Array(keys).fill(rounds))
    const windowed = await Array.fromAsync(panes.scan({ limit: 10_000 }), ([, pane]) => pane.value)
    assert.deepEqual(windowed, Array(keys).fill(rounds))
    await watched.worker.stop()
  })
}
