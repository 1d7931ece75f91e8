// The next record to read is gone from the log: never skipped in silence. The policy decides, and
// what is lost is counted; a position beyond the log, which was cut or made anew, is the same.
import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type App, hasCode, type Topic } from 'tailrace'
import { z } from 'zod'
import { type EmbeddedLog, onLog, until } from './embedded-log.ts'

type Policy = 'stop' | 'earliest' | 'latest'

interface Reading {
  readonly app: App
  readonly source: Topic<string | null, number>
  readonly seen: number[]
}

function reading(log: EmbeddedLog, onOffsetLost: Policy, options = {}): Reading {
  const app = log.app({ onOffsetLost, ...options })
  const source = app.topic('in', { value: z.number() })
  const seen: number[] = []
  app.each('read', { source }, ({ value }) => void seen.push(value))
  return { app, source, seen }
}

function numbers(from: number, to: number): { value: string }[] {
  return Array.from({ length: to - from }, (_, index) => ({ value: String(from + index) }))
}

/** Reads 0 to 4, stops, and loses 5 to 7 of 5 to 9 before the next start. */
async function lose(log: EmbeddedLog): Promise<void> {
  await log.create('in')
  await log.put('in', numbers(0, 5))
  const { app } = reading(log, 'stop')
  const worker = await log.start(app)
  await log.settled(worker, 'in')
  await worker.stop()
  await log.put('in', numbers(5, 10))
  await log.transport.admin().deleteRecords({ topic: 'in', partition: 0 }, 8)
}

onLog('stop, the default: the worker ends and says how many are lost', async (log) => {
  await lose(log)
  const { app, seen } = reading(log, 'stop')
  const error = await log.endOf(app)
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_OUT_OF_RANGE'), String(error))
  assert.match(error.message, /offset 5 of "in" partition 0 is not in the log, which holds 8 to 10/)
  assert.match(error.message, /3 records were deleted unread/)
  assert.match(error.hint, /onOffsetLost to "earliest" or "latest"/)
  assert.deepEqual(seen, [])
})

for (const [policy, left, lost] of [
  ['earliest', [8, 9], 3],
  ['latest', [], 5]
] as const) {
  onLog(`${policy}: goes on there, and counts what is lost`, async (log) => {
    await lose(log)
    const { app, seen } = reading(log, policy)
    const worker = await log.start(app)
    await log.put('in', numbers(10, 12))
    await log.settled(worker, 'in')
    assert.deepEqual(seen, [...left, 10, 11])
    assert.equal(worker.status().counters.lostRecords, lost)
  })
}

for (const policy of ['stop', 'earliest'] as const) {
  onLog(`${policy}: records that retention takes while they wait to be fetched`, async (log) => {
    await log.create('in')
    const app = log.app({ onOffsetLost: policy, queueRecordsMax: 2, fetchBytesMax: 1024 })
    const gate = Promise.withResolvers<void>()
    const seen: number[] = []
    app.each('read', { source: app.topic('in', { value: z.number() }) }, async ({ value }) => {
      seen.push(value)
      await gate.promise
    })
    const worker = await log.start(app)
    await log.put('in', [{ value: '0' }])
    await until(() => seen.length === 1, 'the first event is open')
    // More than the paused queue and one answer can hold.
    await log.put(
      'in',
      Array.from({ length: 50 }, (_, n) => ({ value: String(n).padEnd(200) }))
    )
    await log.transport.admin().deleteRecords({ topic: 'in', partition: 0 }, 50)
    gate.resolve()
    if (policy === 'stop') {
      const error = await worker.ended
      assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_OUT_OF_RANGE'), String(error))
      return
    }
    await log.settled(worker, 'in')
    assert.equal(seen.at(-1), 49)
    // Every record was either seen or is counted as lost.
    assert.equal(seen.length + worker.status().counters.lostRecords, 51)
  })
}

onLog('a topic made anew is read from its beginning, not from the old offset', async (log) => {
  await log.create('in')
  const { app, seen } = reading(log, 'earliest')
  const worker = await log.start(app)
  await log.put('in', numbers(0, 3))
  await log.settled(worker, 'in')
  await worker.stop()
  await log.transport.admin().delete(['in'])
  await log.create('in')
  await log.put('in', numbers(100, 105))
  const again = await log.start(app)
  await log.settled(again, 'in')
  assert.deepEqual(seen, [0, 1, 2, 100, 101, 102, 103, 104])
})

onLog('bytes that do not match their checksum end the worker; nothing is skipped', async (log) => {
  await log.create('in')
  await log.put('in', numbers(0, 3))
  await log.put('in', numbers(3, 6))
  const segments = log.place('log/segments')
  for (const name of await readdir(segments, { recursive: true })) {
    const path = join(segments, name)
    if (!(await stat(path)).isFile()) continue
    const bytes = await readFile(path)
    // The value of the last record.
    const at = bytes.lastIndexOf('5')
    if (at >= 0) await writeFile(path, bytes.fill('6', at, at + 1))
  }
  const { app, seen } = reading(log, 'earliest')
  const error = await log.endOf(app)
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_CORRUPT'), String(error))
  assert.match(error.message, /"in" partition 0: the record batch at offset 5: its checksum/)
  assert.deepEqual(seen, [0, 1, 2, 3, 4].slice(0, seen.length))
})
