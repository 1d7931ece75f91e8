// What one event costs, part by part: real tasks over records in memory, no log and no commit.
// Each part is a process of its own: code that ran for another one would be compiled for both.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type App, createApp, tumbling } from 'tailrace'
import { z } from 'zod'
import { freezeDeep } from '../src/core/freeze.ts'
import { placesOf } from '../src/core/topology.ts'
import { BatchCursor } from '../src/core/batch-cursor.ts'
import { BatchEncoder, setBaseOffset } from '../src/core/record-batch.ts'
import { CacheBudget } from '../src/runtime/cache.ts'
import { Dispatcher } from '../src/runtime/dispatcher.ts'
import { absent, Entry, untouched } from '../src/runtime/entry.ts'
import { Journal } from '../src/runtime/journal.ts'
import { silentLog } from '../src/runtime/log.ts'
import { newCounters } from '../src/runtime/monitor.ts'
import { Spreader } from '../src/runtime/outgoing.ts'
import { Pulse } from '../src/runtime/pulse.ts'
import { realClock } from '../src/runtime/real-clock.ts'
import { RecordLimits } from '../src/runtime/record-limits.ts'
import { defaultSettings } from '../src/runtime/settings.ts'
import { buildTask, type OpeningParts } from '../src/runtime/task-opening.ts'
import { createMemoryStore } from '../src/store/memory.ts'
import { MemoryBroker } from '../src/transport/memory/broker.ts'
import { createMemoryTransport } from '../src/transport/memory/index.ts'

import type { BenchOptions } from './options.ts'
import { inputTopic, pageName, viewsOf, viewText, windowMs } from './page-views.ts'
import type { Figures, Row } from './report.ts'

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
  'handler, async, 64 at once': (app) => {
    app.each('a', { source: source(app), concurrency: 64 }, async () => undefined)
  },
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
  'handler + merge': (app) => {
    const other = app.topic('more_views', { key: z.string(), value: PageView, partitions: 1 })
    app.each('a', { source: app.stream(source(app)).merge(other) }, nothing)
  },
  groupBy: (app) => {
    const byUser = app.stream(source(app)).groupBy('by-user', ({ value }) => value.user_id)
    app.each('a', { source: byUser }, nothing)
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
  const { broker, only, runs } = options
  const events = options.events ?? eventsDefault
  const rows: Row[] = []
  for (const variant of [...Object.keys(bare), ...Object.keys(apps)]) {
    if (!variant.includes(only)) continue
    const figures = await measureApart({ variant, events, runs })
    rows.push({ workload: 'micro', variant, broker, guarantee, runs: figures })
  }
  return rows
}

async function measureApart(task: PartTask): Promise<readonly Figures[]> {
  const part = fork(new URL('micro-part.ts', import.meta.url), [JSON.stringify(task)])
  const answer = once(part, 'message').then(([message]) => message as readonly Figures[])
  const ended = once(part, 'exit').then(([code]): never => {
    throw new Error(`the part "${task.variant}" ended with ${code}`)
  })
  // It ends after its answer too.
  ended.catch(() => undefined)
  try {
    return await Promise.race([answer, ended])
  } finally {
    part.kill('SIGKILL')
  }
}

const guarantee = 'none: no commit'

export interface PartTask {
  readonly variant: string
  readonly events: number
  readonly runs: number
}

/** One part, after runs that warm it up. */
export async function measurePart({
  variant,
  events,
  runs
}: PartTask): Promise<readonly Figures[]> {
  const bytes = batchesOf(events)
  const declare = apps[variant]
  const figures: Figures[] = []
  for (let round = 0; round < warmRuns + runs; round++) {
    // Time on the processor: what else the machine does counts less than on the clock.
    const before = process.cpuUsage()
    if (declare === undefined) bare[variant]?.(bytes, events)
    else await runTask(declare, bytes, events)
    const { user, system } = process.cpuUsage(before)
    if (round >= warmRuns) figures.push({ nsPerEvent: ((user + system) * 1e3) / events })
  }
  return figures
}

/** Without a task around them. */
const bare: Readonly<Record<string, (bytes: Buffer, events: number) => void>> = {
  'walk records': (bytes) => walk(bytes),
  'walk + key string': (bytes) => {
    walk(bytes, ({ bytes, keyEnd, keyStart }) => bytes.toString('utf8', keyStart, keyEnd))
  },
  'walk + JSON.parse': (bytes) => {
    walk(bytes, ({ bytes, valueEnd, valueStart }) => {
      JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
    })
  },
  'make a flat object': (_, events) => makeObjects(events, nothing),
  'make and freeze a flat object': (_, events) => makeObjects(events, freezeDeep),
  'journal: write and accept': (_, events) => {
    const journal = new Journal()
    const entry = new Entry('a', 'a', 0, absent)
    const shard = {
      accept: (accepted: Entry) => {
        accepted.value = accepted.pending
        accepted.pending = untouched
      },
      checkEncodable: nothing
    }
    for (let index = 0; index < events; index++) {
      journal.mark()
      journal.write(shard, entry, index)
      journal.accept(index)
    }
  }
}

function makeObjects(events: number, use: (value: unknown) => unknown): void {
  for (let index = 0; index < events; index++) {
    use({ id: 'a', user_id: 'b', page_id: 'c', timestamp: index })
  }
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

function walk(bytes: Buffer, visit: (cursor: BatchCursor) => unknown = nothing): void {
  const cursor = new BatchCursor()
  cursor.reset(bytes, 0)
  while (cursor.next()) visit(cursor)
}

async function runTask(declare: (app: App) => void, bytes: Buffer, events: number): Promise<void> {
  const app = createApp({ id: 'micro', broker: 'memory:' })
  declare(app)
  const topology = app.runner.topology()
  const sub = topology.subTopologies.find(({ sources }) =>
    sources.some(({ name }) => name === inputTopic)
  )
  if (sub === undefined) throw new Error(`nothing reads ${inputTopic}`)
  const task = `${sub.name}/0`
  const dispatcher = dispatcherOf(task, placesOf(sub))
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
      idOf: (topic) => topic,
      limitsOf: () => undefined
    },
    budget: new CacheBudget(1e9),
    spreader: new Spreader(),
    limits,
    host: dispatcher
  }
  const { run } = buildTask({ task, epoch: 1 }, sub, parts)
  for (const queue of run.queues) {
    const { partition, topic } = queue
    const isEmpty = topic !== inputTopic
    const end = isEmpty ? 0 : events
    queue.push({ topic, partition, bytes: isEmpty ? Buffer.alloc(0) : bytes, nextOffset: end, end })
  }
  run.pump()
  while (run.finishedRecords < events) await realClock.turn()
}

const limits = new RecordLimits({
  clock: realClock,
  recordBytesMax: defaultSettings.recordBytesMax,
  limitsOf: () => undefined
})

function dispatcherOf(task: string, places: number): Dispatcher {
  return new Dispatcher({
    clock: realClock,
    log: silentLog,
    random: Math.random,
    counters: newCounters(),
    pulse: new Pulse([{ id: task, partition: 0, sources: [], places }]),
    taskIdleMs: 0,
    futureLimitMs: 3_600_000,
    onError: undefined,
    deadLetter: undefined,
    limits,
    partitionsOf: () => 1,
    onFatal: (error) => {
      throw error
    },
    isPressed: () => false,
    onPressure: nothing,
    onShortened: nothing
  })
}
