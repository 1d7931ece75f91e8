// Workers on Kafka that were asked for at-least-once, killed: nothing is lost, what was committed
// took hold once, and counts are too high by no more than what was done again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FailpointLabel } from '../../src/port/failpoint.ts'
import { checkAgainst, type Left, readLeft } from './at-least-once.ts'
import { openLog } from './logs.ts'
import { Scene } from './run.ts'

const guarantee = 'at-least-once'
/** Of a worker that is not harmed: on a busy machine it must not lose its tasks. */
const sessionTimeout = '6s'

function weakScene(name: string, run: (scene: Scene) => Promise<void>): void {
  test(`${name} (Kafka, ${guarantee})`, { timeout: 300_000 }, async (t) => {
    const scene = await Scene.on(t, async (directory) => {
      const log = await openLog('Kafka', directory)
      const environment = {
        ...log.environment,
        TAILRACE_GUARANTEE: guarantee,
        TAILRACE_SESSION_TIMEOUT: sessionTimeout
      }
      return { ...log, environment, options: { ...log.options, guarantee, sessionTimeout } }
    })
    await run(scene)
  })
}

/** The rest is done by another worker, which nobody harms; then all is compared. */
async function finish(scene: Scene, left: Left): Promise<number> {
  const last = await scene.worker().started()
  assert.match(last.text, /^guarantee +at-least-once/m)
  await scene.settled()
  await last.stop()
  return await checkAgainst(scene, left)
}

async function killedAt(scene: Scene, failpoint: string, module = 'visits.ts'): Promise<number> {
  await scene.send(300)
  const worker = scene.worker({ failpoint, module })
  await scene.sendUntil(() => worker.hasEnded, { slice: 50, everyMs: 10 })
  await worker.ends({ signal: 'SIGKILL' })
  const left = await readLeft(scene)
  await scene.send(100)
  return await finish(scene, left)
}

function killsAt(label: FailpointLabel, n: number): void {
  weakScene(`killed at ${label}, time ${n}: nothing is lost`, async (scene) => {
    await killedAt(scene, `${label}:${n}`)
  })
}

killsAt('fetch.received', 25)
killsAt('event.open', 700)
killsAt('event.finished-in-commit', 60)
killsAt('commit.frozen', 12)
killsAt('commit.ended', 12)
killsAt('commit.stored', 12)

weakScene('killed with many events at work: none is lost', async (scene) => {
  await killedAt(scene, 'event.open:700', 'parallel-visits.ts')
})

// Far enough from the start that a commit is of events, and not of where a task begins.
for (const n of [20, 60]) {
  weakScene(`killed between delivery and offsets, time ${n}: that is done again`, async (scene) => {
    const doubled = await killedAt(scene, `kafka.delivered:${n}`)
    assert.ok(doubled > 0, 'what was delivered is done again: a test that sees none is none')
  })
}

weakScene('killed while it restores: what was committed is not done again', async (scene) => {
  await scene.send(1_000)
  const first = await scene.worker().started()
  await scene.settled()
  await first.stop()
  const left = await readLeft(scene)
  await scene.send(300)
  await scene.worker({ data: 'other', failpoint: 'restore.batch:3' }).ends({ signal: 'SIGKILL' })
  assert.deepEqual(await readLeft(scene).then(({ rows }) => rows), left.rows)
  assert.equal(await finish(scene, left), 0)
})
