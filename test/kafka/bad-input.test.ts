// What a broker refuses or takes away under a worker: each with its code and what to do, and what
// was lost is counted; the rest flows on, or the worker ends, and never waits in silence.
import assert from 'node:assert/strict'
import {
  type App,
  deadLetter,
  type ErrorCode,
  type Failure,
  hasCode,
  type OnError,
  stop,
  type TailraceError
} from 'tailrace'
import { z } from 'zod'
import { headerTexts, textOf, until } from '../runtime/app-log.ts'
import { countingApp, KafkaLog } from './kafka-log.ts'
import { testsOnKafka } from './on-kafka.ts'

const onKafka = testsOnKafka(120_000)

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
function sendingApp(log: KafkaLog, onError: OnError): App {
  const app = log.app({ deadLetter: log.name('dead'), onError })
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
    const onError: OnError = (failure) => {
      failures.push(failure)
      return deadLetter()
    }
    const worker = await log.start(sendingApp(log, onError))
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
    const app = sendingApp(log, stop)
    const error = await refused(log, app, code)
    assert.match(error.message, says)
    assert.deepEqual(await log.read(log.name('out')), [])
  })
}

const one = { key: 'a', value: '1' }

onKafka('a source topic that is deleted under a worker ends it, by name', async (log) => {
  await log.create(log.name('in'))
  const worker = await log.start(countingApp(log))
  await log.put(log.name('in'), [one])
  await log.settled(worker, log.name('in'))
  await log.transport.admin().delete([log.name('in')])
  const error = await worker.ended
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'), String(error))
  assert.match(error.message, /app-\w+-in/)
})

for (const policy of ['stop', 'earliest'] as const) {
  onKafka(`a source topic that is made anew under a worker: ${policy}`, async (log) => {
    await log.create(log.name('in'))
    const worker = await log.start(countingApp(log, { onOffsetLost: policy }))
    await log.put(log.name('in'), [one, one, one])
    await log.settled(worker, log.name('in'))
    await log.transport.admin().delete([log.name('in')])
    await log.create(log.name('in'))
    await log.put(log.name('in'), [one])
    if (policy === 'stop') {
      const error = await worker.ended
      assert.ok(
        hasCode(error, 'TAILRACE_TRANSPORT_OUT_OF_RANGE') ||
          hasCode(error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'),
        String(error)
      )
      assert.match(error.message, /app-\w+-in/)
      return
    }
    const counts = async (): Promise<(string | null)[]> =>
      (await log.read(log.name('out'))).map(({ value }) => textOf(value))
    const ended = worker.ended.then((error) => ({ error }))
    await Promise.race([
      until(async () => (await counts()).length === 4, 'the new one is read'),
      ended
    ])
    // Gone before the new one was there: then the worker ends, and the next start decides.
    const outcome = await Promise.race([ended, Promise.resolve(undefined)])
    if (outcome !== undefined) {
      assert.ok(hasCode(outcome.error, 'TAILRACE_TRANSPORT_UNKNOWN_TOPIC'), String(outcome.error))
      return
    }
    assert.deepEqual(await counts(), ['1', '2', '3', '4'])
  })
}

onKafka('retention that cut below the committed offset is counted, by policy', async (log) => {
  await log.create(log.name('in'))
  const first = await log.start(countingApp(log))
  await log.put(log.name('in'), [one, one])
  await log.settled(first, log.name('in'))
  await first.stop()
  await log.put(log.name('in'), [one, one, one, one])
  await log.transport.admin().deleteRecords({ topic: log.name('in'), partition: 0 }, 5)
  const error = await refused(log, countingApp(log), 'TAILRACE_TRANSPORT_OUT_OF_RANGE')
  assert.match(
    error.message,
    /offset 2 of "app-\w+-in" partition 0 is not in the log, which holds 5 to 6/
  )
  assert.match(error.message, /3 records were deleted unread/)
  assert.match(error.hint, /onOffsetLost to "earliest" or "latest"/)
  const second = await log.start(countingApp(log, { onOffsetLost: 'earliest' }))
  await log.settled(second, log.name('in'))
  assert.equal(second.status().counters.lostRecords, 3)
  const values = (await log.read(log.name('out'))).map(({ value }) => textOf(value))
  assert.deepEqual(values, ['1', '2', '3'])
})

onKafka('transactions that may last longer than the brokers allow are refused', async (log) => {
  await log.create(log.name('in'))
  const app = countingApp(log, { stallTimeout: '15m', commitTimeout: '20s', commitInterval: '1s' })
  const error = await refused(log, app, 'TAILRACE_TRANSPORT_REFUSED')
  // 15 min, twice 20 s, 1 s and 30 s; brokers allow 15 min unless they say otherwise.
  assert.match(error.message, /may take 971000 ms, and `transaction\.max\.timeout\.ms`.* 900000 ms/)
  assert.match(error.hint, /^Lower `stallTimeout` or `commitTimeout`/)
})
