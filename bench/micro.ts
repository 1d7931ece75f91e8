// What one event costs, part by part: real tasks over records in memory, no log and no commit.
import { type App, createApp, tumbling } from 'tailrace'
import { z } from 'zod'
import { freezeDeep } from '../src/core/freeze.ts'
import { BatchCursor } from '../src/core/batch-cursor.ts'
import { BatchEncoder, setBaseOffset } from '../src/core/record-batch.ts'
import { CacheBudget } from '../src/runtime/cache.ts'
import { Dispatcher } from '../src/runtime/dispatcher.ts'
import { silentLog } from '../src/runtime/log.ts'
import { newCounters } from '../src/runtime/monitor.ts'
import { Spreader } from '../src/runtime/outgoing.ts'
import { Pulse } from '../src/runtime/pulse.ts'
import { realClock } from '../src/runtime/real-clock.ts'
import { defaultSettings } from '../src/runtime/settings.ts'
import { buildTask, type OpeningParts } from '../src/runtime/task-opening.ts'
import { createMemoryStore } from '../src/store/memory.ts'
import { MemoryBroker } from '../src/transport/memory/broker.ts'
import { createMemoryTransport } from '../src/transport/memory/index.ts'
import { inputTopic } from './log.ts'
import type { BenchOptions } from './options.ts'
import { pageName, viewsOf, viewText, windowMs } from './page-views.ts'
import type { Row } from './report.ts'

const eventsDefault = 200_000
const warmRuns = 2

const PageView = z.object({
  id: z.string(),
  user_id: z.string(),
  page_id: z.string(),
  timestamp: z.number()
})

function source(app: App) {
  return app.topic(inputTopic, { key: z.string(), value: PageView, partitions: 1 })
}

function unchecked(app: App) {
  return app.topic(inputTopic, { partitions: 1 })
}

const nothing = (): void => undefined
const keep = (): boolean => true
const add = (count: number): number => count + 1

/** Each is an app of one agent; what a part costs is the difference of two of them. */
const apps: Readonly<Record<string, (app: App) => void>> = {
  'handler, JSON without schema': (app) => app.each('a', { source: unchecked(app) }, nothing),
  handler: (app) => app.each('a', { source: source(app) }, nothing),
  'handler, async': (app) => app.each('a', { source: source(app) }, async () => undefined),
  loop: (app) => {
    app.agent('a', { source: source(app) }, async (events) => {
      for await (const _ of events);
    })
  },
  'handler + filter': (app) => {
    app.each('a', { source: app.stream(source(app)).filter(keep) }, nothing)
  },
  'handler + tap': (app) => {
    app.each('a', { source: app.stream(source(app)).tap(nothing) }, nothing)
  },
  'handler + map': (app) => {
    app.each('a', { source: app.stream(source(app)).map(({ value }) => ({ ...value })) }, nothing)
  },
  'handler + two agents': (app) => {
    const both = source(app)
    app.each('a', { source: both }, nothing)
    app.each('b', { source: both }, nothing)
  },
  'handler + table': (app) => {
    const views = app.table('views', {
      key: z.string(),
      value: z.number().int(),
      initial: () => 0,
      window: tumbling(windowMs)
    })
    app.each('a', { source: source(app), tables: { views } }, (event, { views }) => {
      views.at(event).update(event.key, add)
    })
  },
  'handler + table read': (app) => {
    const views = app.table('views', {
      key: z.string(),
      value: z.number().int(),
      initial: () => 0,
      window: tumbling(windowMs)
    })
    app.each('a', { source: source(app), tables: { views } }, (event, { views }) => {
      views.at(event).get(event.key)
    })
  },
  'handler + output': (app) => {
    const out = app.topic('out', { value: PageView })
    app.each('a', { source: source(app), outputs: { out } }, ({ key, value }, { out }) => {
      out.send({ key, value })
    })
  }
}

export async function microRows(options: BenchOptions): Promise<readonly Row[]> {
  const events = options.events ?? eventsDefault
  const bytes = batchesOf(events)
  const parts: Record<string, () => Promise<void>> = {
    'walk records': async () => walk(bytes),
    'walk + key string': async () => walk(bytes, (cursor) => cursor.key()?.toString()),
    'walk + JSON.parse': async () => {
      walk(bytes, ({ bytes, valueEnd, valueStart }) => {
        JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
      })
    },
    'freeze a flat object': async () => {
      for (let index = 0; index < events; index++) {
        freezeDeep({ id: 'a', user_id: 'b', page_id: 'c', timestamp: index })
      }
    }
  }
  for (const [name, declare] of Object.entries(apps)) {
    parts[name] = () => runTask(declare, bytes, events)
  }
  const rows: Row[] = []
  for (const [name, work] of Object.entries(parts)) {
    if (!name.includes(options.only)) continue
    const runs: { readonly nsPerEvent: number }[] = []
    for (let round = 0; round < warmRuns + options.runs; round++) {
      // Time on the processor: what else the machine does counts less than on the clock.
      const before = process.cpuUsage()
      await work()
      const { user, system } = process.cpuUsage(before)
      const nsPerEvent = ((user + system) * 1e3) / events
      if (round >= warmRuns) runs.push({ nsPerEvent })
    }
    const { broker } = options
    rows.push({ workload: 'micro', variant: name, broker, guarantee: 'none: no commit', runs })
  }
  return rows
}

function batchesOf(events: number): Buffer {
  const encoder = new BatchEncoder()
  const batches: Buffer[] = []
  let base = 0
  const finish = (): void => {
    const count = encoder.recordCount
    const batch = encoder.finish({ timestampType: 'create' })
    setBaseOffset(batch, base)
    batches.push(batch)
    base += count
  }
  for (const view of viewsOf({ events, base: Date.now() - 3_600_000 })) {
    const key = Buffer.from(pageName(view.page))
    encoder.append(key, Buffer.from(viewText(view)), view.timestamp, [])
    if (encoder.sizeBytes >= 16_384) finish()
  }
  if (encoder.recordCount > 0) finish()
  return Buffer.concat(batches)
}

function walk(bytes: Buffer, visit: (cursor: BatchCursor) => void = nothing): void {
  const cursor = new BatchCursor()
  cursor.reset(bytes, 0)
  while (cursor.next()) visit(cursor)
}

async function runTask(declare: (app: App) => void, bytes: Buffer, events: number): Promise<void> {
  const app = createApp({ id: 'micro', broker: 'memory:' })
  declare(app)
  const topology = app.runner.topology()
  const [sub] = topology.subTopologies
  if (sub === undefined) throw new Error('an app of one agent has one sub-topology')
  const task = `${sub.name}/0`
  const dispatcher = dispatcherOf(task)
  const store = createMemoryStore()
  await store.open({ app: 'micro', logId: 'micro' } as Parameters<typeof store.open>[0])
  const parts: OpeningParts = {
    app: 'micro',
    transport: createMemoryTransport(new MemoryBroker({ clock: realClock })),
    store,
    settings: defaultSettings,
    topics: {
      plan: { bySubTopology: new Map([[sub.name, 1]]), byTopic: new Map(), problems: [] },
      partitionsOf: () => 1,
      idOf: (topic) => topic
    },
    budget: new CacheBudget(1e9),
    spreader: new Spreader(),
    host: dispatcher
  }
  const { run } = buildTask({ task, epoch: 1 }, sub, parts)
  const queue = run.queues[0]
  queue?.push({ topic: inputTopic, partition: 0, bytes, nextOffset: events, end: events })
  run.pump()
  while (run.finishedRecords < events) await realClock.turn()
}

function dispatcherOf(task: string): Dispatcher {
  return new Dispatcher({
    clock: realClock,
    log: silentLog,
    random: Math.random,
    counters: newCounters(),
    pulse: new Pulse([{ id: task, partition: 0, sources: [] }]),
    taskIdleMs: 0,
    futureLimitMs: 3_600_000,
    onError: undefined,
    deadLetter: undefined,
    partitionsOf: () => 1,
    onFatal: (error) => {
      throw error
    },
    isPressed: () => false,
    onPressure: nothing,
    onShortened: nothing
  })
}
