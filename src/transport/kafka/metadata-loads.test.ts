// How often metadata is asked for, and how long those wait who need it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../../port/clock.ts'
import { VirtualClock } from '../memory/virtual-clock.ts'
import { MetadataLoads } from './metadata-loads.ts'

function scene(): { clock: VirtualClock; loads: MetadataLoads; asked: string[][] } {
  const clock = new VirtualClock()
  const asked: string[][] = []
  const loads = new MetadataLoads(clock, async (topics) => {
    asked.push([...topics])
    await pause(clock, 2)
  })
  return { clock, loads, asked }
}

test('all partitions of a topic are one question, and none waits for another', async () => {
  const { asked, clock, loads } = scene()
  const begunMs = clock.monotonic()
  await clock.settle(Promise.all(Array.from({ length: 64 }, () => loads.load(['t']))))
  assert.deepEqual(asked, [['t']])
  assert.ok(clock.monotonic() - begunMs <= 10)
})

test('who comes one after the other waits for one more question, and not for long', async () => {
  const { asked, clock, loads } = scene()
  const waits: Promise<void>[] = []
  const begunMs = clock.monotonic()
  for (let partition = 0; partition < 64; partition++) {
    waits.push(loads.load(['t']))
    await clock.advance(0.1)
  }
  await clock.settle(Promise.all(waits))
  assert.equal(asked.length, 2)
  assert.ok(clock.monotonic() - begunMs <= 150, `${clock.monotonic() - begunMs} ms`)
})

test('who asks again and again is held back', async () => {
  const { asked, clock, loads } = scene()
  const begunMs = clock.monotonic()
  const askFor = async (): Promise<void> => {
    while (clock.monotonic() - begunMs < 10_000) await loads.load(['t'])
  }
  await clock.settle(Promise.all([askFor(), askFor(), askFor()]))
  assert.ok(asked.length >= 8 && asked.length <= 20, `${asked.length}`)
})

test('a question about brokers names no topic; its failure is told to all', async () => {
  const clock = new VirtualClock()
  const asked: (readonly string[])[] = []
  const loads = new MetadataLoads(clock, async (topics) => {
    asked.push(topics)
    throw new Error('gone')
  })
  const waits = [[], ['t'], []].map((topics) => assert.rejects(loads.load(topics), /gone/))
  await clock.settle(Promise.all(waits))
  assert.deepEqual(asked, [['t']])
})
