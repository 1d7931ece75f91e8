// Workers that lose one request or one answer of every kind: everything is still counted once.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kafkaVersions } from '../../scripts/kafka/jars.ts'
import { harmedScene, underLoad } from './harmed-scene.ts'
import { type ProxiedBroker, proxiedBrokerOfTests } from './proxy.ts'
import type { Api, FaultKind } from './proxy-faults.ts'

const timeout = 300_000

const losses: readonly FaultKind[] = ['lose-request', 'lose-answer']
/** Lost to the client, and at the broker only when the client is long past it. */
const late: FaultKind = 'late-request'

/** What a worker asks again and again while it works. */
const steady: readonly Api[] = ['Produce', 'TxnOffsetCommit', 'EndTxn', 'Heartbeat', 'Fetch']
const before4: readonly Api[] = ['AddPartitionsToTxn', 'AddOffsetsToTxn']

function whileItWorks(broker: ProxiedBroker, apis: readonly Api[]): void {
  for (const kind of [...losses, late]) {
    test(`${kind} of what a worker asks while it works`, { timeout }, async (t) => {
      const scene = await harmedScene(t, broker)
      await scene.send(200)
      const worker = await scene.worker().started()
      for (const api of apis) {
        const fault = broker.proxy.next(api, kind, { skip: 2 })
        let isOver = false
        const load = underLoad(scene, () => isOver)
        await Promise.race([fault.happened, load])
        await scene.progress(40)
        fault.release()
        await scene.progress(40)
        isOver = true
        await load
        await scene.settled()
      }
      await worker.stop()
      await scene.verify()
    })
  }
}

describe('Kafka 4', () => {
  const broker = proxiedBrokerOfTests({ version: kafkaVersions.newest })
  whileItWorks(broker, steady)

  /** What a worker asks as it comes, and takes tasks over; three of it at a time. */
  const asItComes: readonly (readonly Api[])[] = [
    ['ApiVersions', 'FindCoordinator', 'Metadata'],
    ['JoinGroup', 'OffsetFetch'],
    ['InitProducerId', 'SyncGroup', 'ListOffsets']
  ]
  const asItGoes: Api = 'LeaveGroup'

  for (const kind of losses) {
    test(`${kind} of what a worker asks as it comes and goes`, { timeout }, async (t) => {
      const scene = await harmedScene(t, broker)
      await scene.send(200)
      const worker = await scene.worker({ data: 'first' }).started()
      for (const apis of asItComes) {
        const faults = apis.map((api) => broker.proxy.next(api, kind))
        const other = scene.worker({ data: 'second' })
        // It says that it has started before it has tasks: those are given up by the first yet.
        const haveHappened = (): boolean => faults.every(({ hasHappened }) => hasHappened)
        await underLoad(scene, () => other.hasEnded || haveHappened())
        await other.started()
        const leaving = broker.proxy.next(asItGoes, kind)
        await other.stop()
        assert.ok(haveHappened() && leaving.hasHappened, apis.join())
        await scene.settled()
      }
      await worker.stop()
      await scene.verify({ data: ['first', 'second'] })
    })
  }
})

describe('Kafka 3.9', () => {
  const broker = proxiedBrokerOfTests({ version: kafkaVersions.oldest })
  whileItWorks(broker, [...steady, ...before4])
})

describe('a commit that takes long', () => {
  const broker = proxiedBrokerOfTests({ version: kafkaVersions.newest })

  // Of 1 s for an event and 40 s for a commit: more than half a minute, and within its limits.
  test('is not aborted by the broker while it is within commitTimeout', { timeout }, async (t) => {
    const scene = await harmedScene(t, broker)
    const env = { TAILRACE_STALL_TIMEOUT: '1s', TAILRACE_COMMIT_TIMEOUT: '40s' }
    const worker = await scene
      .worker({ env: { ...env, TAILRACE_SHUTDOWN_TIMEOUT: '1m' } })
      .started()
    await scene.send(100)
    await scene.settled()
    const held = (['TxnOffsetCommit', 'EndTxn'] as const).map((api) =>
      broker.proxy.next(api, 'hold-request')
    )
    await scene.send(100)
    for (const fault of held) {
      await fault.happened
      await sleep(17_000)
      fault.release()
    }
    await scene.settled()
    assert.doesNotMatch(worker.text, /WARN|ERROR/)
    await worker.stop()
    await scene.verify()
  })
})
