// Topics that are deleted and made again while they are read: no position of before holds in them.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { VirtualClock } from '../memory/virtual-clock.ts'
import { Cluster } from './cluster.ts'
import { KafkaFetcher } from './fetcher.ts'
import { KafkaFailure, kafka } from './protocol-failure.ts'
import { plaintext } from './security.ts'

const at = { topic: 't', partition: 0 }

interface Scene {
  readonly clock: VirtualClock
  readonly fetcher: KafkaFetcher
  /** The topic as the metadata tells it. */
  topicId: string
  /** The next questions for the range of the new topic that fail. */
  failures: number
  /** Requests that were to be fetched by. */
  fetches: number
}

/** A broker that is asked for ranges only; the log holds offsets 0 to 9. */
function scene(t: TestContext): Scene {
  const clock = new VirtualClock()
  const cluster = new Cluster({ brokers: [], security: plaintext, clientId: 'test', clock })
  const fetcher = new KafkaFetcher({ cluster, clock })
  const all = { clock, fetcher, topicId: 'aa-aa', failures: 0, fetches: 0 }
  const leader = (): object => ({ broker: 0, leaderEpoch: 0, topicId: all.topicId })
  t.mock.method(cluster, 'known', leader)
  t.mock.method(cluster, 'leader', async () => leader())
  t.mock.method(cluster, 'link', async (_: number, purpose: string) => {
    if (purpose !== 'control') {
      all.fetches++
      throw new KafkaFailure(kafka.notLeaderOrFollower, 'fetching')
    }
    if (all.failures-- > 0) throw new KafkaFailure(kafka.leaderNotAvailable, 'listing offsets')
    return { call: async (...args: unknown[]) => rangeAnswer(args[3]) }
  })
  return all
}

function rangeAnswer(asked: unknown): object {
  const isEarliest = JSON.stringify(asked, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value
  ).includes('"-2"')
  const partitions = [{ partitionIndex: 0, errorCode: 0, offset: isEarliest ? 0n : 10n }]
  return { topics: [{ name: 't', partitions }] }
}

async function outOfRange({ clock, fetcher }: Scene): Promise<unknown> {
  for (let i = 0; i < 20; i++) {
    const chunks = await clock.settle(fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 500 }))
    const [chunk] = chunks
    if (chunk?.outOfRange !== undefined) return chunk.outOfRange
  }
  return undefined
}

for (const failures of [0, 3]) {
  test(`the position is said to mean nothing, after ${failures} failed questions`, async (t) => {
    const all = scene(t)
    const { clock, fetcher } = all
    fetcher.add([{ ...at, offset: 5 }])
    await clock.settle(fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 10 }))
    assert.equal(all.fetches, 1)
    Object.assign(all, { topicId: 'bb-bb', failures, fetches: 0 })
    assert.deepEqual(await outOfRange(all), { position: 5, start: 0, end: 10 })
    assert.equal(all.fetches, 0)
    // The broker is tried again a little after it failed.
    await clock.advance(200)
    fetcher.seek({ ...at, offset: 0 })
    await clock.settle(fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 10 }))
    assert.equal(all.fetches, 1)
    await clock.settle(fetcher.close())
  })
}

test('one that is added again hears of it too; one that was removed does not', async (t) => {
  const all = scene(t)
  const { clock, fetcher } = all
  fetcher.add([{ ...at, offset: 5 }])
  await clock.settle(fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 10 }))
  all.topicId = 'bb-bb'
  fetcher.add([{ ...at, offset: 5 }])
  assert.deepEqual(await outOfRange(all), { position: 5, start: 0, end: 10 })
  await clock.advance(200)
  fetcher.remove([at])
  Object.assign(all, { topicId: 'cc-cc', fetches: 0 })
  fetcher.add([{ ...at, offset: 7 }])
  await clock.settle(fetcher.fetch({ bytesMax: 1_000, waitMaxMs: 10 }))
  assert.equal(all.fetches, 1)
  await clock.settle(fetcher.close())
})
