// Back-pressure on disk: a partition whose agent is slow is paused, and no more of it is fetched
// than its queue may hold; other partitions go on, and it goes on when there is room again.
import assert from 'node:assert/strict'
import type { Fetcher, Transport, TransportContext } from 'tailrace'
import { z } from 'zod'
import { createEmbeddedTransport } from '../../src/transport/embedded/index.ts'
import { onLog, until } from './embedded-log.ts'

interface Watched {
  readonly fetched: Map<number, number>
  readonly calls: string[]
}

/** The embedded log, with every fetch of the source counted. */
function counted({ broker, clock, synchronous }: TransportContext, watched: Watched): Transport {
  const directory = broker.replace(/^embedded:/, '')
  const inner = createEmbeddedTransport({ directory, clock, synchronous })
  const fetcher = async (): Promise<Fetcher> => countedFetcher(await inner.fetcher(), watched)
  return {
    name: inner.name,
    url: inner.url,
    features: inner.features,
    door: undefined,
    open: () => inner.open(),
    admin: () => inner.admin(),
    producer: () => inner.producer(),
    transactionalProducer: (id) => inner.transactionalProducer(id),
    fetcher,
    coordinator: () => inner.coordinator(),
    close: () => inner.close()
  }
}

function countedFetcher(inner: Fetcher, { calls, fetched }: Watched): Fetcher {
  return {
    add: (positions) => inner.add(positions),
    remove: (partitions) => inner.remove(partitions),
    seek: (position) => inner.seek(position),
    pause: (at) => {
      calls.push(`pause ${at.partition}`)
      inner.pause(at)
    },
    resume: (at) => {
      calls.push(`resume ${at.partition}`)
      inner.resume(at)
    },
    fetch: async (limits) => {
      const chunks = await inner.fetch(limits)
      for (const { bytes, partition } of chunks) {
        fetched.set(partition, (fetched.get(partition) ?? 0) + bytes.length)
      }
      return chunks
    },
    wake: () => inner.wake(),
    close: () => inner.close()
  }
}

const queueBytesMax = 64 * 1_024
const fetchBytesMax = 32 * 1_024

onLog('one event of a busy partition is open: its fetches end, the others go on', async (log) => {
  const watched: Watched = { fetched: new Map(), calls: [] }
  const app = log.app({
    transport: (context) => counted(context, watched),
    queueBytesMax,
    fetchBytesMax
  })
  const source = app.topic('in', { key: z.string().nullable(), value: z.string(), partitions: 2 })
  const gate = Promise.withResolvers<void>()
  const seen = [0, 0]
  app.each('read', { source }, async ({ partition }) => {
    seen[partition] = (seen[partition] ?? 0) + 1
    if (partition === 0) await gate.promise
  })
  await log.create('in', 2)
  const text = JSON.stringify('x'.repeat(1_000))
  const records = (partition: number, count: number): { partition: number; value: string }[] =>
    Array.from({ length: count }, () => ({ partition, value: text }))
  const busy = 600
  await log.put('in', records(0, busy))
  const worker = await log.start(app)
  await until(() => watched.calls.includes('pause 0'), 'the busy partition is paused')

  // What comes for it meanwhile is not fetched, and the other partition is served all the same.
  const before = watched.fetched.get(0) ?? 0
  // The answer that fills it, and one that may have been fetched for an earlier opening.
  assert.ok(before <= queueBytesMax + 2 * fetchBytesMax, `${before} bytes are queued`)
  await log.put('in', [...records(1, 50), ...records(0, 10), ...records(1, 50)])
  await until(() => seen[1] === 100, 'the other partition is read')
  assert.equal(watched.fetched.get(0), before)
  assert.equal(seen[0], 1)
  assert.deepEqual(watched.calls, ['pause 0'])

  gate.resolve()
  await log.settled(worker, 'in')
  assert.equal(seen[0], busy + 10)
  // Paused and resumed in turn: with room for half of it, not for one record.
  const turns = watched.calls.filter((call) => call === 'resume 0').length
  assert.ok(turns >= 1 && turns <= busy / 10, `${turns} turns`)
})

onLog('a limit of records holds too, where they are small', async (log) => {
  const watched: Watched = { fetched: new Map(), calls: [] }
  const app = log.app({
    transport: (context) => counted(context, watched),
    queueRecordsMax: 20,
    fetchBytesMax: 1_024
  })
  const source = app.topic('in', { value: z.number(), partitions: 1 })
  const gate = Promise.withResolvers<void>()
  let seen = 0
  app.each('read', { source }, async () => {
    seen++
    await gate.promise
  })
  await log.create('in')
  await log.put(
    'in',
    Array.from({ length: 300 }, (_, n) => ({ value: String(n) }))
  )
  const worker = await log.start(app)
  await until(() => watched.calls.includes('pause 0'), 'the partition is paused')
  // Each record is a batch of some 70 bytes here.
  assert.ok((watched.fetched.get(0) ?? 0) < 60 * 70, `${watched.fetched.get(0)} bytes`)
  gate.resolve()
  await log.settled(worker, 'in')
  assert.equal(seen, 300)
})
