// What tables hold themselves to, on disk: whose key a partition may write, who sees a write when,
// what a delete leaves, and who answers for a key.
import assert from 'node:assert/strict'
import { type App, type Failure, hasCode, murmur2Partitioner, skip, type Worker } from 'tailrace'
import { z } from 'zod'
import { counting, feed, partitions, rowsAfter, rowsOf } from './counting.ts'
import { type EmbeddedLog, onLog, textOf, until } from './embedded-log.ts'

const text = { key: z.string() }

/** A table of countries, fed by a topic whose key is the user. */
function byCountry(log: EmbeddedLog, scope: 'key' | 'partition'): [App, Failure[], () => unknown] {
  const app = log.app()
  const source = app.topic('in', { ...text, value: z.string(), partitions: 4 })
  const users = app.table('users', { ...text, value: z.number(), initial: () => 0, scope })
  const failures: Failure[] = []
  const onError = (failure: Failure): typeof skip => {
    failures.push(failure)
    return skip
  }
  app.each('count', { source, tables: { users }, onError }, ({ value }, { users }) => {
    users.update(value, (count) => count + 1)
  })
  const rows = async (): Promise<number> =>
    (await Array.fromAsync(users.scan(), ([, count]) => count)).reduce((sum, n) => sum + n, 0)
  return [app, failures, rows]
}

onLog('a key of another partition is refused, and says how to group', async (log) => {
  await log.create('in', 4)
  const own = murmur2Partitioner.partition(Buffer.from('DE'), 4)
  const other = (own + 1) % 4
  const [app, failures, rows] = byCountry(log, 'key')
  const worker = await log.start(app)
  await log.put('in', [
    { key: 'ann', value: '"DE"', partition: other },
    { key: 'bob', value: '"DE"', partition: own }
  ])
  await log.settled(worker, 'in')
  const error = failures[0]?.error
  assert.ok(hasCode(error, 'TAILRACE_TABLE_WRONG_PARTITION'), String(error))
  assert.match(error.message, new RegExp(`key "DE" of table "users" belongs to partition ${own}`))
  assert.match(error.message, new RegExp(`by the task of partition ${other}`))
  assert.match(error.hint, /groupBy/)
  assert.equal(failures.length, 1)
  assert.equal(await rows(), 1)
})

onLog('rows by partition are not checked, and are scanned', async (log) => {
  await log.create('in', 4)
  const [app, failures, rows] = byCountry(log, 'partition')
  const worker = await log.start(app)
  await log.put(
    'in',
    [0, 1, 2, 3].map((partition) => ({ key: 'a', value: '"DE"', partition }))
  )
  await log.settled(worker, 'in')
  assert.deepEqual(failures, [])
  assert.equal(await rows(), 4)
})

onLog('a delete is a tombstone on the changelog, and stays one', async (log) => {
  await log.create('in', partitions)
  await feed(log, 5, 2)
  const worker = await log.start(counting(log).app)
  await log.settled(worker, 'in')
  await worker.stop()
  const changelog = await log.read('app-counts-changelog')
  const last = changelog.findLast(({ key }) => textOf(key) === 'key-0')
  assert.equal(last?.value, null)
  assert.ok(changelog.some(({ key, value }) => textOf(key) === 'key-1' && value !== null))
  for (const datadir of ['data', 'fresh']) {
    const one = counting(log, { datadir: log.place(datadir) })
    const again = await log.start(one.app)
    assert.deepEqual(await rowsOf(one), rowsAfter(5, 2))
    assert.equal((await one.counts.query('key-0')).value, 0)
    await again.stop()
  }
})

onLog(
  'what cannot be frozen is decoded for each: changed in place it changes nothing',
  async (log) => {
    const app = log.app()
    const Seen = z.object({ at: z.coerce.date(), tags: z.array(z.string()) })
    const source = app.topic('in', { ...text, value: Seen, partitions: 1 })
    const last = app.table('last', { ...text, value: Seen })
    const years: (number | undefined)[] = []
    app.each('first', { source, tables: { last } }, ({ key, value }, { last }) => {
      const given = { at: new Date(value.at), tags: [] }
      last.set(key, given)
      given.at.setFullYear(1970)
      value.at.setFullYear(1971)
      last.get(key)?.at.setFullYear(1972)
      years.push(last.get(key)?.at.getFullYear())
    })
    app.each('second', { source, reads: { last } }, ({ value }) => {
      years.push(value.at.getFullYear())
    })
    const worker = await log.start(app)
    await log.put('in', [{ key: 'a', value: '{"at":"2026-03-01","tags":["x"]}' }])
    await log.settled(worker, 'in')
    assert.deepEqual(years, [2026, 2026])
    assert.equal((await last.query('a')).value?.at.getFullYear(), 2026)
  }
)

onLog(
  'the writes of an open record are its own; a part that fails takes back its own',
  async (log) => {
    const app = log.app()
    const source = app.topic('in', { ...text, value: z.number(), partitions: 1 })
    const number = { ...text, value: z.number(), initial: () => 0 }
    const [left, right] = [app.table('left', number), app.table('right', number)]
    const gate = Promise.withResolvers<void>()
    const inside: unknown[] = []
    app.each('one', { source, tables: { left } }, ({ key, value }, { left }) => {
      left.update(key, (sum) => sum + value)
    })
    const two = { source, tables: { right }, reads: { left }, onError: skip }
    app.each('two', two, async ({ key, value }, { left, right }) => {
      right.set(key, value)
      inside.push([left.get(key), right.get(key)])
      await gate.promise
      if (value === 2) throw new RangeError('no twos')
    })
    const worker = await log.start(app)
    await log.put(
      'in',
      [1, 2, 3].map((n) => ({ key: 'a', value: String(n) }))
    )
    await until(() => inside.length === 1, 'the first event is open')
    // Commits pass meanwhile; nobody else sees what is not finished.
    await log.put('in', [{ key: 'a', value: '4' }])
    assert.deepEqual([(await left.query('a')).value, (await right.query('a')).value], [0, 0])
    assert.deepEqual(await log.read('app-left-changelog'), [])
    assert.equal(await log.isCommitted('in'), false)
    gate.resolve()
    await log.settled(worker, 'in')
    // The second agent read `left` as it was before each record; what it threw at is undone.
    assert.deepEqual(inside, [
      [0, 1],
      [1, 2],
      [3, 3],
      [6, 4]
    ])
    assert.deepEqual([(await left.query('a')).value, (await right.query('a')).value], [10, 4])
  }
)

onLog('what an agent writes after its event is refused', async (log) => {
  const app = log.app()
  const source = app.topic('in', { ...text, value: z.number(), partitions: 1 })
  const sums = app.table('sums', { ...text, value: z.number(), initial: () => 0 })
  const late: unknown[] = []
  app.each('sum', { source, tables: { sums } }, ({ key }, { sums }) => {
    setImmediate(() => {
      try {
        sums.set(key, 100)
      } catch (error) {
        late.push(error)
      }
    })
  })
  const worker = await log.start(app)
  await log.put('in', [{ key: 'a', value: '1' }])
  await log.settled(worker, 'in')
  await until(() => late.length === 1, 'the late write was tried')
  assert.ok(hasCode(late[0], 'TAILRACE_AGENT_NO_EVENT'), String(late[0]))
  assert.match(late[0].message, /agent "sum" wrote table "sums" while no event of it was open/)
  assert.equal((await sums.query('a')).value, 0)
})

onLog('two workers on one log: each answers for its own keys, and names the other', async (log) => {
  await log.create('in', partitions)
  await feed(log, 40)
  const ones = [1, 2].map(() => counting(log, { web: { port: 0 } }))
  for (const { app, counts } of ones) {
    app.web.get('/count/:key', async (c) => c.json(await counts.query(c.req.param('key'))))
    app.web.get('/counts', async (c) => {
      const scan = counts.scan()
      return c.json({ rows: await Array.fromAsync(scan), coverage: scan.coverage })
    })
  }
  const workers: Worker[] = []
  for (const { app } of ones) workers.push(await log.start(app))
  await until(
    () => workers.every((worker) => worker.status().tasks.length === 2),
    'each has half of the tasks'
  )
  await until(() => workers.every((worker) => worker.status().isReady), 'both are ready')
  await log.settled(workers[0] as Worker, 'in')

  const urls = workers.map(({ url }) => url ?? '')
  for (let n = 1; n < 40; n++) {
    const answers = await Promise.all(urls.map((url) => fetch(`${url}/count/key-${n}`)))
    assert.deepEqual(answers.map(({ status }) => String(status)).toSorted(), ['200', '421'])
    const away = answers.findIndex(({ status }) => status === 421)
    const body = (await answers[away]?.json()) as Record<string, unknown>
    assert.equal(body['code'], 'TAILRACE_TABLE_NOT_LOCAL')
    assert.equal(body['url'], urls[1 - away])
    assert.equal(body['owner'], workers[1 - away]?.status().memberId)
  }
  const covered: number[] = []
  let rows = 0
  for (const url of urls) {
    const page = (await (await fetch(`${url}/counts`)).json()) as {
      readonly rows: readonly unknown[]
      readonly coverage: { readonly partitions: number[]; of: number; isComplete: boolean }
    }
    assert.deepEqual([page.coverage.of, page.coverage.isComplete], [4, false])
    covered.push(...page.coverage.partitions)
    rows += page.rows.length
  }
  assert.deepEqual(
    covered.toSorted((a, b) => a - b),
    [0, 1, 2, 3]
  )
  assert.equal(rows, 39)
})
