// Scenes of whole workers between whom and their broker a proxy stands; the test goes past it.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterOptions } from '../../scripts/kafka/cluster.ts'
import { openKafkaOn } from '../process/logs.ts'
import { Scene } from '../process/run.ts'
import { type ProxiedBroker, proxiedBroker } from './proxy.ts'

/** Hit only by a test that fails. */
const patienceMs = 90_000

/** On a broker that other scenes use as well; `guarantee` is what its workers are asked for. */
export async function harmedScene(
  t: TestContext,
  broker: ProxiedBroker,
  guarantee: 'exactly-once' | 'at-least-once' = 'exactly-once'
): Promise<Scene> {
  const ownUrl = broker.cluster.url('plain')
  const dispose = async (): Promise<void> => undefined
  return await Scene.on(t, async () => {
    const log = await openKafkaOn({ url: broker.url, ownUrl, [Symbol.asyncDispose]: dispose })
    return {
      ...log,
      options: { ...log.options, guarantee },
      environment: { ...log.environment, TAILRACE_GUARANTEE: guarantee }
    }
  })
}

export interface OwnScene {
  readonly broker: ProxiedBroker
  readonly scene: Scene
}

/** With a broker, or three, of its own: whatever happens to them, they end with it. */
export async function ownScene(t: TestContext, options: ClusterOptions = {}): Promise<OwnScene> {
  const broker = await proxiedBroker(options)
  const ownUrl = broker.cluster.url('plain')
  const scene = await Scene.on(t, () =>
    openKafkaOn({
      url: broker.url,
      ownUrl,
      isOwn: true,
      [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]()
    })
  )
  return { broker, scene }
}

/** A little at a time: visits must not get ahead of the clock. */
export async function underLoad(scene: Scene, isOver: () => boolean): Promise<void> {
  await scene.sendUntil(isOver, { slice: 20, everyMs: 20, limitMs: 240_000 })
}

export async function until(test: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const limit = performance.now() + patienceMs
  while (!(await test())) {
    assert.ok(performance.now() < limit, `waited ${patienceMs} ms for ${what}`)
    await sleep(20)
  }
}
