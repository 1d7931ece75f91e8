// A table with rows, and no committed offset: the log forgot it. What the rows hold is not counted
// again in silence.
import assert from 'node:assert/strict'
import { type App, type AppOptions, hasCode, type Transport } from 'tailrace'
import { z } from 'zod'
import { TailraceError } from '../../src/core/errors.ts'
import { createEmbeddedTransport } from '../../src/transport/embedded/index.ts'
import { type EmbeddedLog, onLog } from './embedded-log.ts'

/** The log of the test, which forgets what groups have committed, and is away at that question. */
function forgetful(log: EmbeddedLog, awayAt = 0): Transport {
  const transport = createEmbeddedTransport({ directory: log.place('log') })
  const admin = transport.admin.bind(transport)
  let questions = 0
  const committed = async (): Promise<[]> => {
    if (++questions !== awayAt) return []
    throw new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'nobody answers')
  }
  transport.admin = () => Object.assign(admin(), { committed })
  return transport
}

function counting(log: EmbeddedLog, options: Partial<AppOptions> = {}): App {
  const app = log.app(options)
  const source = app.topic('in', { key: z.string(), value: z.number() })
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('count', { source, tables: { counts } }, (event, { counts }) => {
    counts.update(event.key, (count) => count + event.value)
  })
  return app
}

async function countThree(log: EmbeddedLog): Promise<void> {
  await log.create('in')
  const worker = await log.start(counting(log))
  await log.put(
    'in',
    Array.from({ length: 3 }, () => ({ key: 'a', value: '1' }))
  )
  await log.settled(worker, 'in')
  await worker.stop()
}

onLog('stop, the default: the worker ends and says what to do', async (log) => {
  await countThree(log)
  const error = await log.endOf(counting(log, { transport: () => forgetful(log) }))
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_OUT_OF_RANGE'), String(error))
  assert.match(error.message, /table "counts" has rows, and the group no committed offset of "in"/)
  assert.match(error.hint ?? '', /onOffsetLost/)
})

onLog('a log that is away when it is asked for the others is asked again', async (log) => {
  await countThree(log)
  // The first question is where the task goes on, the second what else the group has committed.
  const error = await log.endOf(counting(log, { transport: () => forgetful(log, 2) }))
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_OUT_OF_RANGE'), String(error))
})

for (const [policy, lost] of [
  ['earliest', 0],
  ['latest', 3]
] as const) {
  onLog(`${policy}: goes on there, and counts what is left out`, async (log) => {
    await countThree(log)
    const app = counting(log, { transport: () => forgetful(log), onOffsetLost: policy })
    const worker = await log.start(app)
    assert.equal(worker.status().counters.lostRecords, lost)
    await worker.stop()
  })
}

onLog('a table that is empty begins where offsetReset says', async (log) => {
  await log.create('in')
  const worker = await log.start(counting(log, { transport: () => forgetful(log) }))
  await log.put('in', [{ key: 'a', value: '1' }])
  await log.settled(worker, 'in')
  await worker.stop()
})
