// `each` over a handler that waits: 64 events of one partition at a time, against one at a time.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp } from 'tailrace'
import { z } from 'zod'
import { withDirectory } from './log.ts'
import type { BenchOptions } from './options.ts'
import type { Figures, Row } from './report.ts'

const concurrency = 64
const waitMs = 5
const keys = 1_000
/** One after the other they take five seconds. */
const eventsDefault = 1_000
/** So many more of them beside each other, so that both are measured for about as long. */
const moreBeside = 16

export async function eachRows({ broker, events, runs }: BenchOptions): Promise<readonly Row[]> {
  const figures: Figures[] = []
  for (let round = 0; round < runs; round++) figures.push(await eachFigures(events))
  const variant = `concurrency ${concurrency}, order key, one partition, ${waitMs} ms an event`
  return [{ workload: 'each', variant, broker, guarantee: 'exactly-once', runs: figures }]
}

/** Both ways, in turn, on logs of their own; `timesOneAtATime` is the ratio. */
export async function eachFigures(events = eventsDefault): Promise<Figures> {
  const oneAtATime = await withDirectory((directory) => rateOf({ directory, events, width: 1 }))
  const besideEachOther = await withDirectory((directory) =>
    rateOf({ directory, events: events * moreBeside, width: concurrency })
  )
  return {
    eventsPerSecond: besideEachOther,
    eventsPerSecondOneAtATime: oneAtATime,
    timesOneAtATime: besideEachOther / oneAtATime
  }
}

interface Load {
  readonly directory: string
  readonly events: number
  readonly width: number
}

/** What both declare who work on this log: the one that is measured, and the one that checks. */
function declared(directory: string, datadir: string) {
  const app = createApp({
    id: 'each',
    broker: `embedded:${join(directory, 'log')}`,
    datadir: join(directory, datadir),
    web: false,
    logLevel: 'silent'
  })
  const source = app.topic('in', { key: z.string(), value: z.int(), partitions: 1 })
  const last = app.table('last', { key: z.string(), value: z.int(), initial: () => -1 })
  return { app, source, last }
}

/** Events a second, from the beginning of the first to the end of the last. */
async function rateOf({ directory, events, width }: Load): Promise<number> {
  const { app, last, source } = declared(directory, 'data')
  let began = 0
  let ended = 0
  let left = events
  const over = Promise.withResolvers<void>()
  const uses = { source, tables: { last }, concurrency: width, order: 'key' } as const
  app.each('wait', uses, async ({ key, value }, { last }) => {
    began ||= performance.now()
    const before = last.get(key)
    await sleep(waitMs)
    if (before >= value) over.reject(new Error(`${key}: ${value} came after ${before}`))
    last.set(key, value)
    if (--left > 0) return
    ended = performance.now()
    over.resolve()
  })
  const sent = Array.from({ length: events }, (_, value) =>
    source.send({ key: `key-${value % keys}`, value })
  )
  await Promise.all(sent)
  const worker = await app.start({ signals: false })
  await Promise.race([over.promise, worker.ended.then((error) => Promise.reject(error))])
  await worker.stop()
  await app.runner.close()
  await check(directory, events)
  return (events * 1_000) / (ended - began)
}

/** What a worker finds that begins with nothing: each key with its last event. */
async function check(directory: string, events: number): Promise<void> {
  const { app, last, source } = declared(directory, 'empty')
  app.each('wait', { source, tables: { last } }, () => {
    throw new Error('an event was not committed')
  })
  const worker = await app.start({ signals: false })
  const rows = await Array.fromAsync(last.scan({ limit: Number.MAX_SAFE_INTEGER }))
  await worker.stop()
  await app.runner.close()
  const sum = rows.reduce((total, [, value]) => total + value, 0)
  let expected = 0
  for (let value = Math.max(0, events - keys); value < events; value++) expected += value
  if (sum !== expected) throw new Error(`the table comes to ${sum}, and should to ${expected}`)
}
