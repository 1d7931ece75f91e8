// What a broker refuses or takes away under a worker: each with its code and what to do, and what
// was lost is counted; the rest flows on, or the worker ends, and never waits in silence.
import assert from 'node:assert/strict'
import { after, before, test, type TestContext } from 'node:test'
import {
  type App,
  type AppOptions,
  deadLetter,
  type ErrorCode,
  type Failure,
  hasCode,
  type TailraceError
} from 'tailrace'
import { z } from 'zod'
import { headerTexts, textOf, until } from '../runtime/app-log.ts'
import { testBroker, type TestBroker } from './broker.ts'
import { countingApp, KafkaLog } from './kafka-log.ts'

const timeout = 120_000
let broker: TestBroker
before(async () => {
  broker = await testBroker()
}, { timeout })
after(() => broker[Symbol.asyncDispose]())

function onKafka(name: string, run: (log: KafkaLog) => Promise<void>): void {
  test(name, { timeout }, async (t: TestContext) => run(await KafkaLog.open(t, broker.url)))
}

async function topic(log: KafkaLog, title: string, extra: Record<string, string>): Promise<void> {
  const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
  const spec = { name: log.name(title), partitions: 1, replication: 1 }
  await log.transport.admin().create([{ ...spec, settings: { ...settings, extra } }])
}

async function refused(log: KafkaLog, app: App, code: ErrorCode): Promise<TailraceError> {
  const error = await log.endOf(app)
  assert.ok(hasCode(error, code), `expected ${code}, got ${String(error)}`)
  assert.match(error.hint, /^[A-Z`].+[.?]$/)
  return error
}

/** Sends each value on to `out`, as long and at the time that it says. */
function sendingApp(log: KafkaLog, options: Partial<AppOptions> & Pick<AppOptions, 'onError'>): App {
  const app = log.app({ deadLetter: log.name('dead'), ...options })
  const value = z.object({ bytes: z.number(), ahead: z.number().optional() })
  const source = app.topic(log.name('in'), { value })
  const out = app.topic(log.name('out'), { value: z.string() })
  const sums = app.table('sums', { key: z.string(), value: z.number(), initial: () => 0 })
  app.each('send', { source, outputs: { out }, tables: { sums } }, ({ value }, parts) => {
    parts.sums.update('all', (sum) => sum + value.bytes)
    const { ahead = 0, bytes } = value
    const timestamp = Date.now() + ahead
    parts.out.send({ key: 'k', value: 'x'.repeat(bytes), timestamp })
  })
  return app
}

interface Refusal {
  readonly extra: Record<string, string>
  readonly bad: { readonly bytes: number; readonly ahead?: number }
  readonly code: ErrorCode
  readonly says: RegExp
}

const refusals: Readonly<Record<string, Refusal>> = {
  'a message over the limit of the broker': {
    extra: { 'max.message.bytes': '4000' },
    // Not to be made small by compression alone.
    bad: { bytes: 5_000 },
    code: 'TAILRACE_SCHEMA_TOO_LARGE',
    says: /"app-\w+-out" has 5003 bytes; the limit \(max\.message\.bytes of the topic\) is 4000/
  },
  'a timestamp that the broker refuses': {
    extra: { 'message.timestamp.after.max.ms': '1000' },
    bad: { bytes: 5, ahead: 3_600_000 },
    code: 'TAILRACE_TRANSPORT_REFUSED',
    says: /"app-\w+-out" is of \d{4}-.*Z, more than 1s ahead of now/
  }
}

for (const [name, { bad, code, extra, says }] of Object.entries(refusals)) {
  onKafka(`${name}: ${code}, and a dead letter where the policy says so`, async (log) => {
    await topic(log, 'in', {})
    await topic(log, 'out', extra)
    const values = [{ bytes: 1 }, bad, { bytes: 2 }].map((one) => ({ value: JSON.stringify(one) }))
    await log.put(log.name('in'), values)
    const failures: Failure[] = []
    const onError = (failure: Failure) => {
      failures.push(failure)
      return deadLetter()
    }
    const worker = await log.start(sendingApp(log, { onError }))
    await log.settled(worker, log.name('in'))
    const [failure] = failures
    assert.ok(failure !== undefined && hasCode(failure.error, code), String(failure?.error))
    assert.match(failure.error.message, says)
    assert.equal(failure.record.offset, 1n)
    const outputs = await log.read(log.name('out'))
    assert.deepEqual(
      outputs.map(({ value }) => textOf(value)?.length),
      [3, 4]
    )
    const [letter, ...more] = await log.read(log.name('dead'))
    assert.equal(more.length, 0)
    assert.equal(letter === undefined ? '' : headerTexts(letter)['__tailrace.dlq.code'], code)
    const changes = await log.read(`${log.id}-sums-changelog`)
    const sums = changes.map(({ value }) => Number(value?.subarray(-1).toString()))
    assert.equal(sums.at(-1), 3)
    assert.equal(worker.status().counters.deadLettered, 1)
  })

  onKafka(`${name}: ends the worker where nothing else is said`, async (log) => {
    await topic(log, 'in', {})
    await topic(log, 'out', extra)
    await log.put(log.name('in'), [{ value: JSON.stringify(bad) }])
    const app = sendingApp(log, { onError: { kind: 'stop' } as never })
    const error = await refused(log, app, code)
    assert.match(error.message, says)
    assert.deepEqual(await log.read(log.name('out')), [])
  })
}
