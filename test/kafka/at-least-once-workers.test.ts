// Several workers that were asked for at-least-once, harmed under load: whatever happens nothing is
// lost; what is done twice is counted, and said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkNoneLost, doublesOf } from '../process/at-least-once.ts'
import { harmedScene, underLoad } from './harmed-scene.ts'
import { proxiedBrokerOfTests } from './proxy.ts'

const timeout = 300_000
const guarantee = 'at-least-once'
const broker = proxiedBrokerOfTests()

test('one of three that is killed', { timeout }, async (t) => {
  const scene = await harmedScene(t, broker, guarantee)
  await scene.send(300)
  const others = [scene.worker({ data: 'first' }), scene.worker({ data: 'second' })]
  for (const worker of others) await worker.started()
  // Not before it commits: without tasks its end would prove nothing.
  const third = scene.worker({ data: 'third', failpoint: 'kafka.delivered:20' })
  await underLoad(scene, () => third.hasEnded)
  await third.ends({ signal: 'SIGKILL' })
  let isOver = false
  const load = underLoad(scene, () => isOver)
  await scene.progress(200)
  isOver = true
  await load
  await scene.settled()
  for (const worker of others) await worker.stop()
  const doubles = await checkNoneLost(scene)
  t.diagnostic(`${doubles} times something was done twice`)
  assert.ok(doubles > 0, 'what was delivered is done again: a test that sees none is none')
})

// Asleep with rows that it is about to send, and with rows sent whose offsets are to follow.
for (const moment of ['commit.frozen:8', 'kafka.delivered:8']) {
  test(`one that sleeps beyond its session at ${moment}`, { timeout }, async (t) => {
    const scene = await harmedScene(t, broker, guarantee)
    await scene.send(300)
    const sleeper = scene.worker({ data: 'sleeper', failpoint: `${moment}:stop` })
    await underLoad(scene, () => sleeper.isAsleep)
    const other = await scene.worker({ data: 'other' }).started()
    await scene.send(200)
    await scene.settled()
    const before = await doublesOf(scene)
    sleeper.signal('SIGCONT')
    await sleeper.line(/given this worker up|owned by another worker/)
    // Nothing of what it had in hand came after what the other has written meanwhile.
    assert.equal(await doublesOf(scene), before, 'a worker that was fenced has written')
    await scene.send(200)
    await scene.settled()
    for (const worker of [sleeper, other]) await worker.stop()
    t.diagnostic(`${await checkNoneLost(scene)} times something was done twice`)
  })
}

test('requests and answers that are lost', { timeout }, async (t) => {
  const scene = await harmedScene(t, broker, guarantee)
  await scene.send(200)
  const workers = [scene.worker({ data: 'first' }), scene.worker({ data: 'second' })]
  for (const worker of workers) await worker.started()
  let isOver = false
  const load = underLoad(scene, () => isOver)
  for (const kind of ['lose-request', 'lose-answer'] as const) {
    for (const api of ['Produce', 'OffsetCommit', 'Heartbeat'] as const) {
      const fault = broker.proxy.next(api, kind, { skip: 2 })
      await fault.happened
      await scene.progress(40)
    }
  }
  isOver = true
  await load
  await scene.settled()
  for (const worker of workers) await worker.stop()
  t.diagnostic(`${await checkNoneLost(scene)} times something was done twice`)
})
