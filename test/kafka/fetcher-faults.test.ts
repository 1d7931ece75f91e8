// The fetcher when connections, answers and brokers are lost: no gap, nothing twice, no silence.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import type { Fetcher, TopicPartition } from '../../src/port/transport.ts'
import { limits, readTo, valuesOf, withFetcher, write } from './fetch-checks.ts'
import { type ProxiedBroker, proxiedBroker } from './proxy.ts'
import { Session } from './session.ts'

const timeout = 240_000

let broker: ProxiedBroker
/** Through the proxy. */
let harmed: Session
/** Past it. */
let safe: Session

before(
  async () => {
    broker = await proxiedBroker()
    harmed = await Session.open({ host: '127.0.0.1', port: broker.proxy.ports[0] ?? 0 })
    safe = await Session.open({ host: '127.0.0.1', port: broker.cluster.port('plain') })
  },
  { timeout }
)
after(async () => {
  await harmed?.[Symbol.asyncDispose]()
  await safe?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

async function written(title: string, count: number): Promise<TopicPartition> {
  const at = { topic: await safe.topic(title), partition: 0 }
  await write(safe, at, { values: namesOf(0, count), batch: 5 })
  return at
}

function namesOf(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `record ${from + i}`)
}

for (const kind of ['lose-request', 'lose-answer'] as const) {
  test(`reading goes on where it was after each ${kind}`, { timeout }, async () => {
    const at = await written(kind, 60)
    await withFetcher(harmed, async (fetcher) => {
      fetcher.add([{ ...at, offset: 0 }])
      const seen: string[] = []
      for (let position = 0; position < 60; ) {
        broker.proxy.next('Fetch', kind)
        if (position % 20 === 0) broker.proxy.next('Metadata', kind)
        const to = Math.min(position + 10, 60)
        const values = await readTo(fetcher, at, { from: position, to, bytesMax: 400 })
        seen.push(...values)
        position += values.length
      }
      assert.deepEqual(seen, namesOf(0, 60))
    })
  })
}

test('where a log begins and ends is asked again when the answer is lost', {
  timeout
}, async () => {
  const at = await written('range', 5)
  await withFetcher(harmed, async (fetcher) => {
    const lost = broker.proxy.next('ListOffsets', 'lose-answer')
    fetcher.add([{ ...at, offset: 9 }])
    let chunks = await fetcher.fetch(limits)
    while (chunks.length === 0) chunks = await fetcher.fetch(limits)
    await lost.happened
    assert.deepEqual(chunks[0]?.outOfRange, { position: 9, start: 0, end: 5 })
  })
})

/** What the next fetches come to, until one of them is not empty. */
async function outcome(fetcher: Fetcher): Promise<'records' | 'error'> {
  for (;;) {
    try {
      if ((await fetcher.fetch(limits)).length > 0) return 'records'
    } catch (error) {
      assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE'), String(error))
      assert.match(error.message, /for \d+ s/)
      return 'error'
    }
  }
}

test('brokers that are gone are waited out, and said to be when it lasts', {
  timeout
}, async () => {
  const at = await written('gone', 5)
  await withFetcher(harmed, async (fetcher) => {
    fetcher.add([{ ...at, offset: 0 }])
    assert.deepEqual(await readTo(fetcher, at, { to: 5 }), namesOf(0, 5))
    await broker.proxy.refuse()
    try {
      const first = performance.now()
      assert.equal(await outcome(fetcher), 'error')
      assert.ok(performance.now() - first > 3_000, 'it was said at once')
      const second = performance.now()
      assert.equal(await outcome(fetcher), 'error')
      assert.ok(performance.now() - second > 3_000, 'it is said all the time')
    } finally {
      await broker.proxy.accept()
    }
    await write(safe, at, { values: namesOf(5, 10) })
    assert.deepEqual(await readTo(fetcher, at, { from: 5, to: 10 }), namesOf(5, 10))
  })
})

test('connections that hang are given up, and what was asked on them is asked again', {
  timeout
}, async () => {
  const at = await written('swallowed', 3)
  const run = async (fetcher: Fetcher): Promise<void> => {
    const swallowed = broker.proxy.next('Fetch', 'swallow-answer')
    fetcher.add([{ ...at, offset: 0 }])
    await fetcher.fetch(limits)
    await swallowed.happened
    assert.deepEqual(await readTo(fetcher, at, { to: 3 }), namesOf(0, 3))
  }
  await withFetcher(harmed, run, { answerMsMax: 2_000 })
})

test('a broker that restarts has forgotten the session, and nothing else', {
  timeout
}, async () => {
  const at = await written('restart', 20)
  await withFetcher(harmed, async (fetcher) => {
    fetcher.add([{ ...at, offset: 0 }])
    assert.deepEqual(await readTo(fetcher, at, { to: 20, bytesMax: 300 }), namesOf(0, 20))
    await broker.cluster.node().stop()
    await broker.cluster.node().start()
    await write(safe, at, { values: namesOf(20, 40), batch: 3 })
    const seen: string[] = []
    let position = 20
    // It may be said that the broker was gone: the machine may be slow to start one.
    while (position < 40) {
      const chunks = await fetcher.fetch(limits).catch((error: unknown) => {
        assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE'), String(error))
        return []
      })
      for (const chunk of chunks) {
        assert.equal(chunk.outOfRange, undefined)
        seen.push(...valuesOf(chunk, position))
        position = chunk.nextOffset
      }
    }
    assert.deepEqual(seen, namesOf(20, 40))
  })
})
