// A swarm over work that takes the processor: what more nodes bring, what a start and the death of
// a node cost, and what they have of memory.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from '../src/port/transport.ts'
import { memoryOf, type ProcessMemory, totalOf } from '../src/swarm/process-memory.ts'
import { eachFigures } from './each.ts'
import { committedOf, openLog, withDirectory } from './log.ts'
import type { BenchOptions } from './options.ts'
import { type Figures, type Row, spreadOf } from './report.ts'
import { appName, compute, declared, inputTopic, partitions } from './swarm-app.ts'
import { SwarmProcess } from './swarm-process.ts'

const eventsDefault = 30_000
const warmingEvents = 3_000
const eventMs = 0.2
const nodeCounts = [1, 2, 3] as const
/** The one that is measured further: as many nodes as a small machine has cores. */
const measuredNodes = 2
const keys = 1_200
const lookMs = 5
const calibratingMs = 300

export async function swarmRows({
  broker,
  events = eventsDefault,
  runs
}: BenchOptions): Promise<readonly Row[]> {
  const turns = turnsOf(eventMs)
  const figures: Figures[] = []
  for (let round = 0; round < runs; round++) {
    const rates: number[] = []
    let run: Figures = {}
    for (const nodes of nodeCounts) {
      const own = await withDirectory((directory) => swarmRun({ directory, nodes, turns, events }))
      rates.push(own['eventsPerSecond'] ?? Number.NaN)
      for (const [name, value] of Object.entries(own)) run = { ...run, [`${name}_${nodes}`]: value }
    }
    const [one = Number.NaN, ...more] = rates
    const speedups = more.map((rate, index) => [`speedup_${index + 2}`, rate / one] as const)
    const { timesOneAtATime = Number.NaN } = await eachFigures()
    figures.push({ ...Object.fromEntries(speedups), ...run, eachTimesOneAtATime: timesOneAtATime })
  }
  const speedup = Object.fromEntries(
    nodeCounts
      .slice(1)
      .map((nodes) => [nodes, spreadOf(figures.map((run) => run[`speedup_${nodes}`] ?? 0)).median])
  )
  const variant = `nodes 1, 2 and 3, ${eventMs * 1_000} us an event, ${partitions} partitions`
  const guarantee = 'exactly-once'
  return [{ workload: 'swarm', variant, broker, guarantee, runs: figures, first: { speedup } }]
}

/**
 * How often the loop turns in so many ms, on this machine now. Measured as it is used, in many
 * short calls: of one that is long V8 makes other code, several times slower or faster.
 */
function turnsOf(ms: number): number {
  const turns = 10_000
  let sum = 0
  const callsIn = (duringMs: number): number => {
    const until = performance.now() + duringMs
    let calls = 0
    for (; performance.now() < until; calls++) sum ^= compute(turns, calls)
    return calls
  }
  callsIn(calibratingMs)
  // With a result: a loop for nothing is left out.
  return Math.round((callsIn(calibratingMs) * turns * ms) / calibratingMs) + (sum & 1)
}

interface Load {
  readonly directory: string
  readonly nodes: number
  readonly turns: number
  readonly events: number
}

async function swarmRun({ directory, events, nodes, turns }: Load): Promise<Figures> {
  const log = await openLog(directory)
  const sender = senderOf(directory)
  const began = performance.now()
  const swarm = new SwarmProcess({ directory, nodes, turns })
  try {
    await swarm.ready()
    const readyMs = performance.now() - began
    await sender.send(warmingEvents)
    await committed({ swarm, admin: log.admin() }, warmingEvents)
    const first = performance.now()
    await sender.send(events)
    await committed({ swarm, admin: log.admin() }, warmingEvents + events)
    const eventsPerSecond = (events * 1_000) / (performance.now() - first)
    const memory = await memoryFigures(swarm)
    let sent = warmingEvents + events
    let takeOver: Figures = {}
    if (nodes === measuredNodes) {
      const killed = performance.now()
      swarm.killNode(nodes - 1)
      await sender.send(partitions)
      sent += partitions
      await committed({ swarm, admin: log.admin() }, sent)
      takeOver = { takeoverMs: performance.now() - killed }
    }
    await swarm.stop()
    await check(directory, sent)
    return { eventsPerSecond, readyMs, ...memory, ...takeOver }
  } finally {
    await swarm.stop().catch(() => undefined)
    await sender.close()
    await log.close()
  }
}

/** An app of this process, on the log of the swarm. */
const besideSwarm = (directory: string, own: string) =>
  ({
    broker: `embedded:${join(directory, 'log')}`,
    datadir: join(directory, own),
    web: false,
    logLevel: 'silent'
  }) as const

interface Sender {
  send(count: number): Promise<void>
  close(): Promise<void>
}

/** Sends to each partition in turn, so that every node has as much to do. */
function senderOf(directory: string): Sender {
  const { app, jobs } = declared({ id: 'sending', ...besideSwarm(directory, 'sender') })
  let sent = 0
  return {
    async send(count) {
      const records = Array.from({ length: count }, (_, index) => sent + index)
      sent += count
      await Promise.all(
        records.map((value) =>
          jobs.send({ key: `key-${value % keys}`, value, partition: value % partitions })
        )
      )
    },
    close: () => app.runner.close()
  }
}

async function committed(
  { admin, swarm }: { readonly admin: Admin; readonly swarm: SwarmProcess },
  count: number
): Promise<void> {
  const place = { group: appName, topic: inputTopic, count: partitions }
  for (;;) {
    swarm.check()
    if ((await committedOf(admin, place)) >= count) return
    await sleep(lookMs)
  }
}

async function memoryFigures(swarm: SwarmProcess): Promise<Figures> {
  const [supervisor, ...nodes] = await Promise.all([swarm.pid, ...swarm.nodePids].map(memoryOf))
  // Elsewhere than on Linux nobody counts it.
  if (supervisor === undefined) return {}
  const known = nodes.filter((one): one is ProcessMemory => one !== undefined)
  const total = totalOf([supervisor, ...known])
  const mebibytes = (bytes: number): number => bytes / 1_048_576
  return {
    supervisorRssMb: mebibytes(supervisor.rssBytes),
    supervisorUssMb: mebibytes(supervisor.ussBytes),
    pssMb: mebibytes(total.pssBytes),
    ussMb: mebibytes(total.ussBytes)
  }
}

/** What a worker finds that begins with nothing: every event counted once. */
async function check(directory: string, sent: number): Promise<void> {
  const { app, done, jobs } = declared({ id: appName, ...besideSwarm(directory, 'empty') })
  app.agent('compute', { source: jobs, tables: { done } }, async (events) => {
    for await (const { offset, partition } of events) {
      throw new Error(`${partition}/${offset} was not committed`)
    }
  })
  const worker = await app.start()
  const rows = await Array.fromAsync(done.scan({ limit: Number.MAX_SAFE_INTEGER }))
  await worker.stop()
  await app.runner.close()
  const counted = rows.reduce((sum, [, count]) => sum + count, 0)
  if (counted !== sent) throw new Error(`${sent} events were sent, and ${counted} counted`)
}
