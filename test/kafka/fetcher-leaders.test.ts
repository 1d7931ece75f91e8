// The fetcher on three brokers: leaders that move, logs that are cut, replicas that are nearer.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import { resolveOptions } from '../../src/host/resolve-options.ts'
import { Transports } from '../../src/host/transports.ts'
import type { FetchedChunk, Fetcher, TopicPartition } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { type KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { ownBroker } from './broker.ts'
import { limits, readTo, valuesOf, withFetcher, write } from './fetch-checks.ts'
import { countingApp, KafkaLog } from './kafka-log.ts'
import { Session } from './session.ts'

const timeout = 300_000
const near = 3

let cluster: KafkaCluster
let session: Session

before(
  async () => {
    cluster = await ownBroker({
      nodes: 3,
      config: {
        'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
        'auto.leader.rebalance.enable': 'false'
      }
    })
    // One of them stands in another rack, which only a file of its own can say.
    appendFileSync(join(cluster.directory, `node-${near}.properties`), '\nbroker.rack=near\n')
    await cluster.node(near).stop()
    await cluster.node(near).start()
    session = await Session.open({ host: '127.0.0.1', port: cluster.port('plain', 1) })
  },
  { timeout }
)
after(async () => {
  await session?.[Symbol.asyncDispose]()
  await cluster?.stop()
})

interface Replicas {
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

async function replicasOf({ partition, topic }: TopicPartition): Promise<Replicas> {
  const { topics } = await session.cluster.describe([topic])
  const found = topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === partition)
  assert.ok(found !== undefined, `${topic} is not there`)
  const { isrNodes: inSync, leaderId: leader, replicaNodes: replicas } = found
  return { leader, replicas, inSync }
}

/** Waits until the cluster says of the partition what is asked for. */
async function until(at: TopicPartition, holds: (now: Replicas) => boolean): Promise<Replicas> {
  for (;;) {
    const now = await session.cluster.retry('describing', () => replicasOf(at))
    if (holds(now)) return now
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

interface TopicOptions {
  readonly extra?: Record<string, string>
  readonly replication: number
  /** The title is the name, and not the beginning of one. */
  readonly isNamed?: boolean
}

async function topicOf(
  title: string,
  { extra = {}, isNamed = false, replication }: TopicOptions
): Promise<TopicPartition> {
  const name = isNamed ? title : `${title}-${Math.random().toString(36).slice(2)}`
  const settings = {
    cleanupPolicy: 'delete',
    retentionMs: -1,
    timestampType: 'create',
    extra: { 'min.insync.replicas': '1', ...extra }
  } as const
  await session.admin.create([{ name, partitions: 1, replication, settings }])
  return { topic: name, partition: 0 }
}

function namesOf(from: number, to: number, word = 'record'): string[] {
  return Array.from({ length: to - from }, (_, i) => `${word} ${from + i}`)
}

/** Numbers, as the app that counts reads them. */
function valuesTo(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`)
}

/** As `fetch`, but brokers may be said to be gone for longer on a slow machine. */
async function patiently(fetcher: Fetcher): Promise<readonly FetchedChunk[]> {
  try {
    return await fetcher.fetch(limits)
  } catch (error) {
    assert.match(String(error), /TAILRACE_TRANSPORT_UNAVAILABLE/)
    return []
  }
}

async function readPatiently(
  fetcher: Fetcher,
  { from, to }: { readonly from: number; readonly to: number }
): Promise<string[]> {
  const values: string[] = []
  for (let position = from; position < to; ) {
    for (const chunk of await patiently(fetcher)) {
      assert.equal(chunk.outOfRange, undefined)
      values.push(...valuesOf(chunk, position))
      position = chunk.nextOffset
    }
  }
  return values
}

test('when the leader is killed, reading goes on from the next one', { timeout }, async () => {
  const at = await topicOf('killed', { replication: 3 })
  await until(at, ({ inSync }) => inSync.length === 3)
  await write(session, at, { values: namesOf(0, 10) })
  await withFetcher(session, async (fetcher) => {
    fetcher.add([{ ...at, offset: 0 }])
    assert.deepEqual(await readTo(fetcher, at, { to: 10 }), namesOf(0, 10))
    const { leader } = await replicasOf(at)
    await cluster.node(leader).kill()
    try {
      await until(at, (now) => now.leader !== leader && now.leader >= 0)
      await write(session, at, { values: namesOf(10, 20) })
      assert.deepEqual(await readPatiently(fetcher, { from: 10, to: 20 }), namesOf(10, 20))
    } finally {
      await cluster.node(leader).start()
    }
  })
})

test('a log that was cut below the position is out of range, though it has grown again', {
  timeout
}, async () => {
  const extra = { 'unclean.leader.election.enable': 'true' }
  const at = await topicOf('cut', { replication: 2, extra })
  const { leader, replicas } = await until(at, ({ inSync }) => inSync.length === 2)
  const behind = replicas.find((id) => id !== leader) ?? assert.fail()
  await write(session, at, { values: namesOf(0, 5) })
  await withFetcher(session, async (fetcher) => {
    fetcher.add([{ ...at, offset: 0 }])
    await cluster.node(behind).kill()
    await until(at, ({ inSync }) => inSync.length === 1)
    await write(session, at, { values: namesOf(5, 10) })
    assert.deepEqual(await readPatiently(fetcher, { from: 0, to: 10 }), namesOf(0, 10))
    // Nobody is left who has all of it; the other one begins anew from what it has.
    const killed = cluster.node(leader)
    await killed.kill()
    try {
      await cluster.node(behind).start()
      await until(at, (now) => now.leader === behind)
      await write(session, at, { values: namesOf(5, 25, 'other') })
      let chunks = await patiently(fetcher)
      while (chunks.length === 0) chunks = await patiently(fetcher)
      const [chunk] = chunks
      assert.deepEqual(chunk?.outOfRange, { position: 10, start: 0, end: 25 })
      assert.deepEqual([chunk.bytes.length, chunk.nextOffset], [0, 10])
      fetcher.seek({ ...at, offset: 4 })
      const values = await readPatiently(fetcher, { from: 4, to: 25 })
      assert.deepEqual(values, ['record 4', ...namesOf(5, 25, 'other')])
    } finally {
      await killed.start()
    }
  })
})

test('a log that was cut below the committed offset while no worker ran is noticed', {
  timeout
}, async (t) => {
  const log = await KafkaLog.open(t, cluster.url())
  const extra = { 'unclean.leader.election.enable': 'true' }
  const at = { topic: log.name('in'), partition: 0 }
  await topicOf(at.topic, { replication: 2, extra, isNamed: true })
  const { leader, replicas } = await until(at, ({ inSync }) => inSync.length === 2)
  const behind = replicas.find((id) => id !== leader) ?? assert.fail()
  const worker = await log.start(countingApp(log))
  await write(session, at, { key: 'key', values: valuesTo(5) })
  await log.settled(worker, at.topic)
  await cluster.node(behind).kill()
  await until(at, ({ inSync }) => inSync.length === 1)
  await write(session, at, { key: 'key', values: valuesTo(5) })
  await log.settled(worker, at.topic)
  await worker.stop()
  const [committed] = await session.admin.committed(log.id, [at])
  const [{ leaderEpoch } = assert.fail()] = await session.admin.ranges([at])
  assert.deepEqual([committed?.offset, committed?.leaderEpoch], [10, leaderEpoch])
  const killed = cluster.node(leader)
  await killed.kill()
  try {
    await cluster.node(behind).start()
    await until(at, (now) => now.leader === behind)
    await write(session, at, { key: 'key', values: valuesTo(20) })
    // By its offset alone, 10 of 25 looks as if five had been added and none been lost.
    const error = await log.endOf(countingApp(log))
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_OUT_OF_RANGE'), String(error))
    assert.match(error.message, /offset 10 of ".*-in" partition 0 is no longer .* the log was cut/)
  } finally {
    await killed.start()
  }
})

/** Has a replica on the near broker, and its leader on another. */
async function topicLedAfar(title: string): Promise<TopicPartition> {
  const at = await topicOf(title, { replication: 3 })
  const found = await until(at, ({ inSync }) => inSync.length === 3)
  if (found.leader === near) {
    // The leader goes elsewhere when its broker stops, and stays there when it is back.
    await cluster.node(near).stop()
    await cluster.node(near).start()
    await until(at, ({ inSync, leader }) => inSync.length === 3 && leader !== near)
  }
  return at
}

test('a replica in the same rack is read from; without it the leader is', {
  timeout
}, async () => {
  const at = await topicLedAfar('rack')
  await write(session, at, { values: namesOf(0, 5) })
  const asked: number[] = []
  const watched = {
    cluster: new Proxy(session.cluster, {
      get(target, name) {
        if (name !== 'link') {
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        }
        return (...[broker, purpose]: Parameters<typeof target.link>) => {
          if (purpose.startsWith('fetch-')) asked.push(broker)
          return target.link(broker, purpose)
        }
      }
    })
  }
  const run = async (fetcher: Fetcher): Promise<void> => {
    fetcher.add([{ ...at, offset: 0 }])
    assert.deepEqual(await readPatiently(fetcher, { from: 0, to: 5 }), namesOf(0, 5))
    assert.equal(asked.at(-1), near, 'the nearer replica was not asked')
    await cluster.node(near).kill()
    try {
      // Only the others can have them.
      await write(session, at, { values: namesOf(5, 10) })
      assert.deepEqual(await readPatiently(fetcher, { from: 5, to: 10 }), namesOf(5, 10))
    } finally {
      await cluster.node(near).start()
    }
  }
  await withFetcher(watched, run, { rack: 'near' })
  await realClock.turn()
})

/** Who sent most of what `run` received, by the bytes of its connections. */
async function senderOf(run: () => Promise<void>): Promise<number> {
  const sockets = new Map<Socket, number>()
  const opened = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }
    // A closed one does not say any more whose it was.
    socket.once('connect', () => sockets.set(socket, socket.remotePort ?? assert.fail()))
  }
  subscribe('net.client.socket', opened)
  try {
    await run()
  } finally {
    unsubscribe('net.client.socket', opened)
  }
  const bytes = [1, 2, 3].map((id) => {
    const own = [...sockets].filter(([, port]) => port === cluster.port('plain', id))
    return own.reduce((sum, [{ bytesRead }]) => sum + bytesRead, 0)
  })
  const most = Math.max(...bytes)
  assert.ok(most > 1_000_000, `no connection carried the records: ${bytes}`)
  return 1 + bytes.indexOf(most)
}

test('the option `rack` chooses who is read from', { timeout }, async () => {
  const at = await topicLedAfar('option')
  const values = Array.from({ length: 20 }, (_, i) => `${i} `.repeat(20_000))
  await write(session, at, { values })
  const { leader } = await until(at, ({ inSync }) => inSync.length === 3)
  const readWith = async (environment: Record<string, string>): Promise<number> => {
    const options = resolveOptions({
      app: { id: 'rack' },
      environment: { TAILRACE_BROKER: cluster.url(), ...environment }
    })
    return senderOf(async () => {
      const transport = await new Transports({ app: 'rack', clock: realClock }).open(options)
      const fetcher = await transport.fetcher()
      try {
        fetcher.add([{ ...at, offset: 0 }])
        assert.deepEqual(await readPatiently(fetcher, { from: 0, to: 20 }), values)
      } finally {
        await fetcher.close()
        await transport.close()
      }
    })
  }
  assert.equal(await readWith({ TAILRACE_RACK: 'near' }), near)
  assert.equal(await readWith({ TAILRACE_RACK: 'nowhere' }), leader)
  assert.equal(await readWith({}), leader)
})
