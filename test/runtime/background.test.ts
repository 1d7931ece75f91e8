// Timers and tasks while workers run, and the one worker that leads.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, createApp } from 'tailrace'
import { startTestWorker, TestLog, type TestWorker } from 'tailrace/testing'
import { pause } from '../../src/port/clock.ts'

const second = 1_000

function appOf(): App {
  const app = createApp({ id: 'app', broker: 'memory:' })
  app.topic('nothing')
  return app
}

test('a timer runs after its interval, again and again; an immediate one at once', async () => {
  const log = new TestLog()
  const app = appOf()
  const runs: string[] = []
  const since = (): number => Math.round((log.clock.monotonic() - begun) / second)
  app.timer('late', { every: '2s' }, () => void runs.push(`late at ${since()}`))
  app.timer('early', { every: '3s', immediate: true }, () => void runs.push(`early at ${since()}`))
  let begun = 0
  const worker = await startTestWorker(app, { log })
  begun = log.clock.monotonic()
  await log.clock.advance(6.5 * second)
  await worker.stop()
  assert.deepEqual(runs.slice().toSorted(), [
    'early at 0',
    'early at 3',
    'early at 6',
    'late at 2',
    'late at 4',
    'late at 6'
  ])
  await log.clock.advance(60 * second)
  assert.equal(runs.length, 6, 'a stopped worker runs none')
})

test('a dump shows which timers and tasks run, and since when', async () => {
  const log = new TestLog()
  const app = appOf()
  app.timer('idle', { every: '1h' }, () => undefined)
  app.timer('slow', { every: '2s' }, () => pause(log.clock, 60 * second))
  app.task('long', {}, ({ signal }) => pause(log.clock, 3_600 * second, signal))
  app.task('done', {}, () => undefined)
  const worker = await startTestWorker(app, { log })
  await log.clock.advance(5 * second)
  const dump = worker.runtime.dump()
  assert.match(dump, /^ {2}timer "idle": does not run now$/m)
  assert.match(dump, /^ {2}timer "slow": runs, 3\d{3} ms$/m)
  assert.match(dump, /^ {2}task "long": runs, 5\d{3} ms$/m)
  assert.match(dump, /^ {2}task "done": does not run now$/m)
  await worker.stop()
})

test('a run that takes too long delays the next, and none are made up for', async () => {
  const log = new TestLog()
  const app = appOf()
  const begins: number[] = []
  let [running, most] = [0, 0]
  app.timer('slow', { every: '1s' }, async () => {
    begins.push(log.clock.monotonic())
    running++
    most = Math.max(most, running)
    await new Promise<void>((resolve) => {
      log.clock.schedule(2_500, resolve)
    })
    running--
  })
  const worker = await startTestWorker(app, { log })
  await log.clock.advance(20 * second)
  assert.equal(most, 1, 'two runs never overlap')
  assert.ok(begins.length >= 6 && begins.length <= 8, `${begins.length} runs in 20 s`)
  await worker.stop()
})

test('a timer that throws is logged and runs again; the worker goes on', async () => {
  const log = new TestLog()
  const app = appOf()
  let runs = 0
  app.timer('clumsy', { every: '1s' }, () => {
    runs++
    throw new Error('dropped it')
  })
  const errors: string[] = []
  const writeTo = logTo(errors)
  const worker = await startTestWorker(app, { log, writeTo })
  await log.clock.advance(3.5 * second)
  assert.equal(runs, 3)
  assert.equal(worker.ended, undefined)
  assert.equal(errors.length, 3)
  assert.match(errors[0] ?? '', /a timer failed, and runs again in time: dropped it/)
  await worker.stop()
})

test('a task runs once, with a signal that aborts when the worker stops', async () => {
  const log = new TestLog()
  const app = appOf()
  const steps: string[] = []
  app.task('short', {}, () => void steps.push('short'))
  app.task('long', {}, ({ signal }) => {
    steps.push('long begins')
    return new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        steps.push('long is told to end')
        resolve()
      })
    })
  })
  const worker = await startTestWorker(app, { log })
  await log.clock.advance(60 * second)
  assert.deepEqual(steps, ['short', 'long begins'])
  await worker.stop()
  assert.deepEqual(steps, ['short', 'long begins', 'long is told to end'])
})

test('a task that throws ends the worker: it has no next run', async () => {
  const log = new TestLog()
  const app = appOf()
  app.task('warm', {}, async () => {
    throw new Error('the cache is cold')
  })
  const errors: string[] = []
  const worker = await startTestWorker(app, { log, writeTo: logTo(errors) })
  await log.clock.advance(second)
  assert.match(String(worker.ended?.error), /the cache is cold/)
  assert.match(errors.join('\n'), /a task failed: the cache is cold/)
})

/** Three workers of one app; each writes the second of its ticks into its own list. */
async function three(log: TestLog): Promise<readonly Member[]> {
  const members: Member[] = []
  for (const name of ['worker-1', 'worker-2', 'worker-3']) {
    const app = appOf()
    const ticks: Tick[] = []
    app.timer('tick', { every: '1s', onLeader: true, immediate: true }, () => {
      const { isLeader, leaderEpoch } = app
      ticks.push({ at: log.clock.monotonic(), isLeader, epoch: leaderEpoch })
    })
    const tasks: string[] = []
    app.task('lead', { onLeader: true }, ({ signal }) => {
      tasks.push('begun')
      signal.addEventListener('abort', () => tasks.push('ended'))
    })
    const worker = await startTestWorker(app, { log, instanceId: name })
    members.push({ app, worker, ticks, tasks })
  }
  return members
}

interface Tick {
  readonly at: number
  readonly isLeader: boolean
  readonly epoch: number | undefined
}

interface Member {
  readonly app: App
  readonly worker: TestWorker
  readonly ticks: Tick[]
  readonly tasks: string[]
}

function leaderOf(members: readonly Member[]): Member {
  const leaders = members.filter(({ app }) => app.isLeader)
  assert.equal(leaders.length, 1, 'one leads')
  return leaders[0] as Member
}

for (const [how, end] of [
  ['stopped', (one: Member) => one.worker.stop()],
  ['killed', async (one: Member) => one.worker.crash()]
] as const) {
  test(`work on the leader goes on at exactly one other when the leader is ${how}`, async () => {
    const log = new TestLog()
    let members = await three(log)
    const led: Member[] = []
    while (members.length > 0) {
      await log.clock.advance(5 * second)
      const leader = leaderOf(members)
      const others = members.filter((one) => one !== leader)
      const before = others.map(({ ticks }) => ticks.length)
      const own = leader.ticks.length
      await log.clock.advance(5 * second)
      assert.ok(leader.ticks.length >= own + 4, 'the leader ticks on')
      assert.deepEqual(
        others.map(({ ticks }) => ticks.length),
        before,
        'the others do not'
      )
      assert.ok(others.every(({ app }) => app.leaderEpoch === undefined))
      led.push(leader)
      await end(leader)
      members = others
    }
    const epochs = led.map(({ ticks }) => [...new Set(ticks.map(({ epoch }) => epoch))])
    assert.ok(
      epochs.every((one) => one.length === 1 && one[0] !== undefined),
      String(epochs)
    )
    const flat = epochs.flat().map(Number)
    assert.deepEqual(
      flat,
      flat.toSorted((a, b) => a - b)
    )
    assert.equal(new Set(flat).size, 3, 'each leader has an epoch of its own')
    for (const { tasks, ticks } of led) {
      assert.ok(ticks.every(({ isLeader }) => isLeader))
      assert.deepEqual(tasks, how === 'stopped' ? ['begun', 'ended'] : ['begun'])
    }
  })
}

test('an app that no worker runs leads nothing', () => {
  const app = appOf()
  assert.equal(app.isLeader, false)
  assert.equal(app.leaderEpoch, undefined)
})

type Writing = NonNullable<Parameters<typeof startTestWorker>[1]['writeTo']>

function logTo(errors: string[]): Writing {
  const none = (): void => undefined
  const own: Writing = {
    ...{ debug: none, info: none, warn: none },
    error: (_fields: object, message?: string) => void errors.push(message ?? ''),
    child: () => own
  }
  return own
}
