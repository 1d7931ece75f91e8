// Rows that cannot be committed: the events that wrote them are found, and the others go on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp, deadLetter } from 'tailrace'
import { startTestWorker, TestLog } from 'tailrace/testing'
import { z } from 'zod'

test('rows too large in many tasks at once cost each its event, and not the worker', async () => {
  const partitions = 8
  const log = new TestLog()
  const app = createApp({ id: 'app', broker: 'memory:', deadLetter: 'dead' })
  const sizes = app.topic('sizes', { value: z.number(), partitions })
  const texts = app.table('texts', { key: z.string(), value: z.string(), scope: 'partition' })
  const uses = { source: sizes, tables: { texts }, onError: deadLetter() }
  app.each('write', uses, ({ offset, value }, { texts }) => {
    texts.set(`row ${offset}`, 'x'.repeat(value))
  })
  for (let partition = 0; partition < partitions; partition++) {
    for (const size of [1, 1_000, 2]) {
      log.append(sizes, { partition, value: String(size) })
    }
  }
  const worker = await startTestWorker(app, { log, settings: { recordBytesMax: 500 } })
  assert.ok(await worker.caughtUp(), 'the worker ended, or never got on')
  const dead = log.readBytes('dead').map(({ headers }) => headers['__tailrace.dlq.offset'])
  assert.deepEqual(
    dead,
    Array.from({ length: partitions }, () => '1')
  )
  const rows: string[] = []
  for await (const [key, text] of texts.scan()) rows.push(`${key} ${text}`)
  assert.deepEqual(new Set(rows), new Set(['row 0 x', 'row 2 xx']))
  assert.equal(rows.length, 2 * partitions)
  await worker.stop()
})
