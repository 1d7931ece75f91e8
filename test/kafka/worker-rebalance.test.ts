// Workers come, leave and die while another one is in the middle of a commit, at each of its steps.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scene } from '../process/run.ts'
import type { WorkerProcess } from '../process/worker-process.ts'
import { harmedScene, underLoad, until } from './harmed-scene.ts'
import { proxiedBrokerOfTests } from './proxy.ts'
import type { Api, FaultKind } from './proxy-faults.ts'

const timeout = 300_000
const broker = proxiedBrokerOfTests()

interface Step {
  readonly name: string
  readonly api: Api
  readonly kind: FaultKind
}

const steps: readonly Step[] = [
  { name: 'before its offsets', api: 'TxnOffsetCommit', kind: 'hold-request' },
  { name: 'after its offsets', api: 'TxnOffsetCommit', kind: 'hold-answer' },
  { name: 'before its end', api: 'EndTxn', kind: 'hold-request' },
  { name: 'after its end', api: 'EndTxn', kind: 'hold-answer' }
]

/** Of the workers, as scenes have it. */
const sessionMs = 3_000

/** Resolves when the group has been asked for a new generation. */
async function rejoining(act: () => unknown): Promise<void> {
  const seen = broker.proxy.seen('JoinGroup')
  await act()
  await until(() => broker.proxy.seen('JoinGroup') > seen, 'a member to join')
}

/** Holds a commit at this step, does something, and lets go when the group is moving. */
async function during({ api, kind }: Step, act: () => unknown): Promise<void> {
  const fault = broker.proxy.next(api, kind, { skip: 1 })
  await fault.happened
  await rejoining(act)
  fault.release()
}

async function loaded(scene: Scene, run: () => Promise<void>): Promise<void> {
  let isOver = false
  const load = underLoad(scene, () => isOver)
  try {
    await run()
    await scene.progress(40)
  } catch (error) {
    throw new Error(`it failed, and the workers say\n${scene.texts}`, { cause: error })
  } finally {
    isOver = true
    await load
  }
  await scene.settled()
}

for (const step of steps) {
  test(`a commit held ${step.name} while others come and go`, { timeout }, async (t) => {
    const scene = await harmedScene(t, broker)
    const first = await scene.worker({ data: 'first' }).started()
    const others: WorkerProcess[] = []
    const join = (): unknown => others.push(scene.worker({ data: 'second' }))
    const other = (): WorkerProcess => others.at(-1) ?? assert.fail('nobody has joined')
    await loaded(scene, async () => {
      await scene.progress(40)
      await during(step, join)
      await other().started()
      await scene.progress(40)
      // Whose commit it is that is held, of the two, is left to chance.
      const held = broker.proxy.next(step.api, step.kind, { skip: 1 })
      await held.happened
      other().signal('SIGTERM')
      await other().line(/the worker stops/)
      held.release()
      await other().ends({ code: 0 })
      await rejoining(join)
      await other().started()
      await scene.progress(40)
      const last = broker.proxy.next(step.api, step.kind, { skip: 1 })
      await last.happened
      await other().kill()
      // The group gives it up meanwhile, and moves unless it waits for the commit that is held.
      await sleep(sessionMs + 500)
      last.release()
    })
    await first.stop()
    await scene.verify({ data: ['first', 'second'] })
  })

  test(`a commit held ${step.name} for longer than it may take`, { timeout }, async (t) => {
    const scene = await harmedScene(t, broker)
    const env = { TAILRACE_COMMIT_TIMEOUT: '1s' }
    const first = await scene.worker({ data: 'first', env }).started()
    let second: WorkerProcess | undefined
    await loaded(scene, async () => {
      await scene.progress(40)
      const fault = broker.proxy.next(step.api, step.kind)
      await fault.happened
      await rejoining(() => {
        second = scene.worker({ data: 'second', env })
      })
      await first.line(/did not end within commitTimeout/)
      fault.release()
      await second?.started()
    })
    await second?.stop()
    await first.stop()
    await scene.verify({ data: ['first', 'second'] })
  })
}

const storeSteps = ['a worker joins', 'a worker leaves', 'a worker is killed'] as const

for (const what of storeSteps) {
  test(`${what} between a commit's end and its store write`, { timeout }, async (t) => {
    const scene = await harmedScene(t, broker)
    const second = (): WorkerProcess => scene.worker({ data: 'second' })
    const other = what === 'a worker joins' ? undefined : await second().started()
    const first = scene.worker({ data: 'first', failpoint: 'commit.ended:30:stop' })
    let last: WorkerProcess | undefined
    await loaded(scene, async () => {
      await until(() => first.isAsleep, 'the worker to sleep')
      if (other === undefined) {
        await rejoining(() => {
          last = second()
        })
      } else if (what === 'a worker leaves') {
        const left = broker.proxy.seen('LeaveGroup')
        other.signal('SIGTERM')
        await until(() => broker.proxy.seen('LeaveGroup') > left, 'the worker to leave')
      } else {
        await other.kill()
      }
      first.signal('SIGCONT')
      await first.started()
      await last?.started()
    })
    if (what === 'a worker leaves') await other?.ends({ code: 0 })
    await last?.stop()
    await first.stop()
    await scene.verify({ data: ['first', 'second'] })
  })
}
