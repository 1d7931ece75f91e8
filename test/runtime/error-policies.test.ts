// What each policy does about a bad event: what is left, what is tried again, and what a worker
// that stops leaves for the next one. Each on the embedded log, across a restart.
import assert from 'node:assert/strict'
import { deadLetter, type Failure, hasCode, type OnError, retry, skip, stop } from 'tailrace'
import { z } from 'zod'
import { badInputApp } from './bad-input-app.ts'
import { type Bytes, type EmbeddedLog, headerTexts, onLog, textOf, until } from './embedded-log.ts'

const good = (n: number): Bytes => ({ key: 'a', value: `{"n":${n}}` })
const broken: Bytes = { key: 'a', value: '{broken' }
const acting: Bytes = { key: 'a', value: '{"n":100,"act":true}' }

async function outputs(log: EmbeddedLog): Promise<(string | null)[]> {
  return (await log.read('out')).map(({ value }) => textOf(value))
}

interface Outcome {
  readonly name: string
  readonly onError: OnError | undefined
  readonly bad: Bytes
  /** How often it was tried. */
  readonly attempts: number
  readonly letters: number
  readonly skipped: number
}

const quick = { backoff: 1, max: 1 } as const

const goesOn: readonly Outcome[] = [
  { name: 'deadLetter()', onError: deadLetter(), bad: broken, attempts: 1, letters: 1, skipped: 0 },
  { name: 'deadLetter()', onError: deadLetter(), bad: acting, attempts: 1, letters: 1, skipped: 0 },
  { name: 'skip', onError: skip, bad: broken, attempts: 1, letters: 0, skipped: 1 },
  { name: 'skip', onError: skip, bad: acting, attempts: 1, letters: 0, skipped: 1 },
  {
    name: 'retry, then what is named',
    onError: retry({ ...quick, times: 2, otherwise: skip }),
    bad: acting,
    attempts: 3,
    letters: 0,
    skipped: 1
  },
  {
    name: 'retry, then the dead letter topic of the app',
    onError: retry({ ...quick, times: 2 }),
    bad: acting,
    attempts: 3,
    letters: 1,
    skipped: 0
  },
  {
    name: 'retry of bytes: never tried again',
    onError: retry({ ...quick, times: 2 }),
    bad: broken,
    attempts: 1,
    letters: 1,
    skipped: 0
  },
  {
    name: 'no times at all',
    onError: retry({ times: 0, otherwise: skip }),
    bad: acting,
    attempts: 1,
    letters: 0,
    skipped: 1
  },
  {
    name: 'no policy',
    onError: undefined,
    bad: broken,
    attempts: 1,
    letters: 1,
    skipped: 0
  },
  {
    name: 'a function that takes its time, and sees the stage',
    onError: async ({ stage }) => {
      await Promise.resolve()
      return stage === 'decode' ? skip : deadLetter()
    },
    bad: broken,
    attempts: 1,
    letters: 0,
    skipped: 1
  }
]

for (const { attempts, bad, letters, name, onError, skipped } of goesOn) {
  const what = bad === broken ? 'broken bytes' : 'an event that throws'
  onLog(`${name}: ${what} leave ${letters} dead letters, and the rest flows`, async (log) => {
    await log.create('in')
    await log.put('in', [good(1), bad, good(2)])
    const act = (): never => {
      throw new RangeError('never')
    }
    const { app, sums } = badInputApp(log, { act, ...(onError !== undefined && { onError }) })
    const worker = await log.start(app)
    await log.settled(worker, 'in')
    const { counters } = worker.status()
    assert.equal(counters.failures, attempts)
    assert.equal(counters.retries, attempts - 1)
    assert.deepEqual([counters.skipped, counters.deadLettered], [skipped, letters])
    assert.equal((await sums.query('a')).value, 3)
    await worker.stop()
    const again = await log.start(badInputApp(log, { act }).app)
    await log.settled(again, 'in')
    assert.equal(again.status().counters.failures, 0)
    await again.stop()
    assert.deepEqual(await outputs(log), ['1', '3'])
    assert.equal((await log.read('dead')).length, letters)
  })
}

onLog('stop: the worker ends there; the next meets it again, and may go on', async (log) => {
  await log.create('in')
  await log.put('in', [good(1), broken, good(2)])
  for (let start = 0; start < 2; start++) {
    const { app } = badInputApp(log, { onError: stop })
    const error = await log.endOf(app)
    assert.ok(hasCode(error, 'TAILRACE_SCHEMA_DECODE'), String(error))
    assert.match(error.message, /"in" partition 0 offset 1: the value is not/)
  }
  // What came before was done once, whatever the crash had not committed.
  const { app, sums } = badInputApp(log, { onError: skip })
  const worker = await log.start(app)
  await log.settled(worker, 'in')
  assert.equal((await sums.query('a')).value, 3)
  assert.deepEqual(await outputs(log), ['1', '3'])
})

onLog('a policy that decides nothing ends the worker, and says so', async (log) => {
  await log.create('in')
  await log.put('in', [broken])
  const policies: readonly (readonly [OnError, RegExp])[] = [
    [(() => undefined) as never, /answered with no decision \(undefined\)/],
    [(async () => Promise.resolve({ kind: 'ignore' })) as never, /no decision \(object\)/],
    [
      () => {
        throw new RangeError('policy broken')
      },
      /onError threw: policy broken/
    ],
    [() => Promise.reject(new RangeError('policy broken')), /onError threw: policy broken/]
  ]
  for (const [onError, says] of policies) {
    const error = await log.endOf(badInputApp(log, { onError }).app)
    assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'), String(error))
    assert.match(error.message, says)
    assert.match(error.message, /"in" partition 0 offset 0, where this had failed: TAILRACE_SCHEMA/)
    assert.match(error.hint, /return retry\(\)/)
  }
})

onLog(
  'a dead letter without a topic ends the worker, and says which option is missing',
  async (log) => {
    await log.create('in')
    await log.put('in', [broken])
    const app = log.app()
    app.each('read', { source: app.topic('in'), onError: deadLetter() }, () => undefined)
    const error = await log.endOf(app)
    assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'), String(error))
    assert.match(
      error.message,
      /agent "read" dead-letters a record, and the app has no dead letter/
    )
    assert.match(error.hint, /`deadLetter` in createApp/)
  }
)

onLog(
  'only the partition of a waiting event waits; its tries are further and further apart',
  async (log) => {
    await log.create('in', 2)
    const app = log.app()
    const source = app.topic('in', { value: z.number() })
    const tries: number[] = []
    const seen: number[] = []
    const onError = retry({ times: 3, backoff: 40, otherwise: skip })
    app.each('read', { source, onError }, ({ partition, value }) => {
      if (partition === 0 && value === 0) {
        tries.push(performance.now())
        throw new RangeError('not yet')
      }
      seen.push(partition * 100 + value)
    })
    const worker = await log.start(app)
    await log.put('in', [
      { value: '0', partition: 0 },
      { value: '1', partition: 0 }
    ])
    await until(() => tries.length === 1, 'the first try')
    await log.put('in', [{ value: '7', partition: 1 }])
    await log.settled(worker, 'in')
    // The other partition went on, and what is behind the waiting one came after it.
    assert.deepEqual(seen, [107, 1])
    assert.equal(tries.length, 4)
    const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
    // Half of the whole wait is certain, the other half is jitter: 40, 80, 160.
    for (const [index, wait] of waits.entries()) assert.ok(wait >= 19 * 2 ** index, `${waits}`)
  }
)

onLog(
  'each agent of a topic has its own policy, and one that fails undoes no other',
  async (log) => {
    await log.create('in')
    await log.put('in', [good(1), acting, good(2)])
    const app = log.app({ deadLetter: 'dead', onError: deadLetter() })
    const source = app.topic('in', { key: z.string(), value: z.object({ n: z.number() }) })
    const sums = [1, 2, 3].map((n) =>
      app.table(`sum-${n}`, { key: z.string(), value: z.number(), initial: () => 0 })
    )
    const failures: Failure[] = []
    const policies = [skip, undefined, (failure: Failure) => (failures.push(failure), deadLetter())]
    for (const [index, table] of sums.entries()) {
      const onError = policies[index]
      const uses = { source, tables: { table }, ...(onError && { onError }) }
      app.each(`agent-${index + 1}`, uses, ({ key, value }, { table }) => {
        table.update(key, (sum) => sum + value.n)
        // The second one handles everything.
        if (value.n === 100 && index !== 1) throw new RangeError(`no ${index + 1}`)
      })
    }
    const worker = await log.start(app)
    await log.settled(worker, 'in')
    const values = await Promise.all(sums.map(async (table) => (await table.query('a')).value))
    assert.deepEqual(values, [3, 103, 3])
    assert.deepEqual(
      failures.map(({ attempts, stage }) => [attempts, stage]),
      [[1, 'handle']]
    )
    const letters = await log.read('dead')
    assert.deepEqual(
      letters.map((one) => headerTexts(one)['__tailrace.dlq.agent']),
      ['agent-3']
    )
  }
)

onLog('a dead letter may go to a topic of its own, with its partition count', async (log) => {
  await log.create('in', 4)
  await log.put('in', [{ value: '{', partition: 3 }])
  const app = log.app({ deadLetter: 'dead' })
  const own = app.topic('own', { partitions: 2 })
  app.each('read', { source: app.topic('in'), onError: deadLetter(own) }, () => undefined)
  const worker = await log.start(app)
  await log.settled(worker, 'in')
  assert.deepEqual(
    (await log.read('own')).map(({ partition }) => partition),
    [1]
  )
  assert.deepEqual(await log.read('dead'), [])
})
