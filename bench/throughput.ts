// W1, W2, rss and restore: a topic is full, a worker reads it to its end, and the clock stops when
// the log holds the offsets of all of it.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transport } from '../src/port/transport.ts'
import { Child } from './child.ts'
import { committedOf, eachRecord } from './log.ts'
import { inputTopic, type Load, pageName, userName, viewsOf } from './page-views.ts'
import { machineMs, ownMs } from './processors.ts'
import { type Job, outputOf } from './programs.ts'
import type { Figures } from './report.ts'

export interface Bench {
  readonly directory: string
  readonly transport: Transport
  readonly load: Load
  /** Events of the load that come before the clock starts. */
  readonly warmUp: number
  readonly profile: string | undefined
}

/** Writes the input once; every run reads it under another group. */
export async function fill(directory: string, { events, base }: Load): Promise<void> {
  const args = [directory, String(events), String(base)]
  const [code] = await once(fork(new URL('fill.ts', import.meta.url), args), 'exit')
  if (code !== 0) throw new Error(`writing the input ended with ${code}`)
}

export type Variant = Pick<Job, 'program' | 'form' | 'commitInterval'> & {
  readonly retentionMs?: number
  /** Start once more over an empty data directory, and time the restore. */
  readonly isRestored?: boolean
}

/** How often the parent looks for the end: seldom, since it takes the worker's processors. */
const lookEveryMs = 20

let runCount = 0

export async function run(bench: Bench, variant: Variant): Promise<Figures> {
  const { directory, load, warmUp } = bench
  const { isRestored = false, retentionMs = 86_400_000, ...form } = variant
  const appId = `bench-${++runCount}`
  const newest = Math.floor(lastTimestamp(load) / 60_000) * 60_000
  const job: Job = {
    ...form,
    ...load,
    warmUp,
    appId,
    broker: `embedded:${join(directory, 'log')}`,
    datadir: join(directory, appId),
    retention: `${retentionMs}ms`,
    keptFrom: newest - retentionMs + 120_000,
    watchesLoop: false
  }
  const figures = await consume(bench, job)
  const restored = isRestored ? await restore(bench, job) : {}
  if (form.program === 'produce') await checkOutput(bench, appId)
  await rm(job.datadir, { recursive: true, force: true })
  await deleteOwn(bench.transport, appId)
  return isRestored ? restored : figures
}

async function consume({ transport, load, profile }: Bench, job: Job): Promise<Figures> {
  const child = new Child(job, profile)
  try {
    const first = await child.answer('first')
    const before = machineMs() - ownMs()
    const admin = transport.admin()
    while ((await committedOf(admin, { group: job.appId, topic: inputTopic })) < load.events) {
      child.check()
      await sleep(lookEveryMs)
    }
    const end = Date.now()
    const warm = await child.answer('warm')
    const measured = load.events - job.warmUp
    const { figures } = await child.ask('figures')
    const own = (figures['cpuMicrosSinceFirst'] ?? 0) / 1_000
    const others = machineMs() - ownMs() - before - own
    if (job.program === 'count') await check(child)
    await child.stop()
    return {
      eventsPerSecond: (measured * 1_000) / (end - warm.at),
      coldEventsPerSecond: (load.events * 1_000) / (end - first.at),
      cpuMicrosPerEvent: (figures['cpuMicros'] ?? 0) / measured,
      rssMbPeak: figures['rssMbPeak'] ?? Number.NaN,
      rssMbAtTenth: figures['rssMbAtTenth'] ?? Number.NaN,
      rssMb: figures['rssMb'] ?? Number.NaN,
      heapLiveMb: figures['heapLiveMb'] ?? Number.NaN,
      otherProcessors: Math.max(0, others / (end - first.at))
    }
  } finally {
    child.kill()
  }
}

async function restore({ profile }: Bench, job: Job): Promise<Figures> {
  await rm(job.datadir, { recursive: true, force: true })
  const child = new Child(job, profile)
  try {
    await child.answer('ready')
    const { figures } = await child.ask('figures')
    await check(child)
    await child.stop()
    const { restored = 0, startMs = Number.NaN, rssMbPeak = Number.NaN } = figures
    return {
      recordsPerSecond: restored / (startMs / 1_000),
      startMs,
      restoredRecords: restored,
      rssMbPeak
    }
  } finally {
    child.kill()
  }
}

async function check(child: Child): Promise<void> {
  const { problems } = await child.ask('check')
  if (problems.length > 0) throw new Error(`the table is wrong:\n${problems.join('\n')}`)
}

/** Every output once: compared as sums, since partitions have no common order. */
async function checkOutput({ transport, load }: Bench, appId: string): Promise<void> {
  let balance = 0
  let count = 0
  for (const { page, timestamp, user } of viewsOf(load)) {
    if ((user & 1) !== 0) continue
    const value = { page: pageName(page), user: userName(user), ts: timestamp }
    balance = (balance + hashOf(Buffer.from(JSON.stringify(value)))) | 0
    count++
  }
  await eachRecord(transport, outputOf(appId), (cursor) => {
    balance = (balance - hashOf(cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd))) | 0
    count--
  })
  if (count !== 0) throw new Error(`the output lacks ${count} records`)
  if (balance !== 0) throw new Error('the output has the right number of records, and wrong ones')
}

function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}

function lastTimestamp({ base, events }: Load): number {
  return base + Math.ceil(events / 2_000_000) * 600_000 - 1
}

async function deleteOwn(transport: Transport, appId: string): Promise<void> {
  const admin = transport.admin()
  const names = (await admin.describe()).map(({ name }) => name)
  await admin.delete(names.filter((name) => name.startsWith(appId)))
}
