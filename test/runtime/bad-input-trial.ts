// Tries a row of bad input on a log: the bad record becomes a dead letter of its exact bytes, what
// is beside it is processed, and a restart changes nothing.
import assert from 'node:assert/strict'
import { deadLetter, type Failure, hasCode } from 'tailrace'
import { type AppLog, type Bytes, headerTexts, textOf } from './app-log.ts'
import { badInputApp, type Trial } from './bad-input-app.ts'
import type { Row } from './bad-input-rows.ts'

const now = Date.now()
const good = (n: number): Bytes => ({ key: 'a', value: `{"n":${n}}`, timestamp: now + n })
const acting: Bytes = { key: 'a', value: '{"n":100,"act":true}', timestamp: now }

// Twice the same name, no value, and bytes that are no text: a dead letter keeps all of it.
const headers: NonNullable<Bytes['headers']> = [
  { key: 'trace', value: Buffer.from('one') },
  { key: 'trace', value: Buffer.from('two') },
  { key: 'empty', value: null },
  { key: 'raw', value: Buffer.of(0xff, 0x00) }
]

export async function tryRow(log: AppLog, row: Row): Promise<void> {
  const bad = { ...acting, headers, ...row.bad }
  const source = log.name('in')
  await log.create(source)
  await log.put(source, [good(1), bad, good(2)])
  const failures: Failure[] = []
  const trial: Trial = {
    ...row,
    onError: (failure) => {
      failures.push(failure)
      return deadLetter()
    }
  }
  await processed(log, trial)
  assert.equal(failures.length, 1)
  checkFailure(log, { row, failure: failures[0] })
  await checkLeft(log, { row, bad })

  // Neither a restart nor tables from nothing make anything twice, and the rest flows.
  await processed(log, trial)
  await checkLeft(log, { row, bad })
  await log.put(source, [good(3)])
  assert.equal(await processed(log, trial, 'elsewhere'), 6)
  assert.equal(failures.length, 1)
  assert.deepEqual(
    (await log.read(log.name('out'))).map(({ value }) => textOf(value)),
    ['1', '3', '6']
  )
}

/** Runs a worker until it has read everything, and answers the sum it then has. */
async function processed(log: AppLog, trial: Trial, data = 'data'): Promise<number> {
  const { app, sums } = badInputApp(log, { ...trial, data })
  const worker = await log.start(app)
  await log.settled(worker, log.name('in'))
  const { value } = await sums.query('a')
  await worker.stop()
  return value
}

function checkFailure(
  log: AppLog,
  { failure, row }: { readonly failure: Failure | undefined; readonly row: Row }
): void {
  assert.ok(failure !== undefined)
  const { error, event, record, stage } = failure
  assert.equal(stage, row.stage)
  assert.deepEqual([record.topic, record.partition, record.offset], [log.name('in'), 0, 1n])
  assert.equal(event === undefined, row.stage === 'decode')
  if (row.code === undefined) {
    assert.match(error instanceof Error ? error.message : String(error), row.says)
    return
  }
  assert.ok(hasCode(error, row.code), String(error))
  assert.match(log.plain(error.message), row.says)
  assert.match(error.hint, row.hint ?? /^[A-Z`].+\.$/)
  if (row.stage !== 'decode') return
  assert.match(log.plain(error.message), /"in" partition 0 offset 1: /)
  assert.deepEqual(error.context, { topic: log.name('in'), partition: 0, offset: 1 })
}

async function checkLeft(
  log: AppLog,
  { bad, row }: { readonly row: Row; readonly bad: Bytes }
): Promise<void> {
  // The whole effect of the good ones, nothing of the bad one.
  assert.deepEqual(
    (await log.read(log.name('out'))).map(({ value }) => textOf(value)),
    ['1', '3']
  )
  assert.deepEqual(await log.read(log.name('strange')), [])
  const [letter, ...more] = await log.read(log.name('dead'))
  assert.ok(letter !== undefined)
  assert.equal(more.length, 0)
  assert.deepEqual(letter.key, bytesOf(bad.key))
  assert.deepEqual(letter.value, bytesOf(bad.value))
  assert.equal(letter.timestamp, bad.timestamp)
  assert.deepEqual(letter.headers.slice(0, headers.length), headers)
  const told = headerTexts(letter)
  assert.equal(told['__tailrace.dlq.offset'], '1')
  assert.equal(told['__tailrace.dlq.stage'], row.stage)
  assert.equal(told['__tailrace.dlq.code'], row.code)
  assert.match(log.plain(told['__tailrace.dlq.error'] ?? ''), row.says)
}

function bytesOf(given: Bytes['key']): Buffer | null {
  return given === null || given === undefined ? null : Buffer.from(given)
}
