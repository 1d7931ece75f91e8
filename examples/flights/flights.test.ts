// The flights example, killed twice in the middle, is compared with a fold of the file.
import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { murmur2Partitioner } from 'tailrace'
import { onEachLog } from '../logs.ts'
import { emptyFolder, Program, repository } from '../program.ts'
import { type Flight, flightsAsTheyLand } from './flights.ts'

const hourMs = 3_600_000
const graceMs = 3 * hourMs
const partitions = 8

interface Report {
  readonly departures: readonly (readonly [origin: string, hour: number, count: number])[]
  readonly late: readonly (readonly [origin: string, count: number])[]
}

const title =
  'killed with -9 twice, once losing its tables, it counts what a fold of the file counts'

onEachLog(title, { timeout: 300_000 }, async (t, environment) => {
  const flights = await flightsAsTheyLand()
  assert.equal(flights.length, 200_000)

  const folder = await emptyFolder(t)
  const start = (): Program =>
    new Program(t, {
      command: 'npx tailrace -A examples/flights/main.ts worker',
      folder,
      environment,
      timeoutMs: 120_000
    })

  let worker = start()
  // The worker makes the topics, so it is there before the first flight.
  let url = await worker.url()
  const feed = new Program(t, {
    command: 'npx node --conditions=tailrace-source examples/flights/feed.ts',
    folder,
    environment
  })

  await untilRead(url, 50_000)
  await worker.end('SIGKILL')
  worker = start()
  url = await worker.url()

  await untilRead(url, 120_000)
  await worker.end('SIGKILL')
  await rm(join(folder, '.tailrace/data'), { recursive: true })
  worker = start()
  url = await worker.url()

  await feed.line(/^sent 200000 flights$/)
  assert.equal((await feed.exited).code, 0)
  await untilRead(url, flights.length)
  const found = await reportOf(url)
  const atlanta = await hoursOf(url, 'ATL')
  assert.deepEqual(await worker.end('SIGTERM'), { code: 0, signal: null })

  const expected = fold(flights)
  assert.ok(expected.late.length > 0, 'some flights come late')
  assert.deepEqual(sorted(found.late), sorted(expected.late))
  assert.deepEqual(sorted(found.departures), sorted(expected.departures))
  const ofAtlanta = expected.departures.filter(([origin]) => origin === 'ATL')
  assert.ok(ofAtlanta.length > 200)
  assert.deepEqual(
    sorted(atlanta),
    sorted(ofAtlanta.map(([, hour, count]) => [new Date(hour).toISOString(), count]))
  )
  const readme = await readFile(join(repository, 'examples/flights/README.md'), 'utf8')
  const inTime = expected.departures.reduce((sum, [, , count]) => sum + count, 0)
  const late = expected.late.reduce((sum, [, count]) => sum + count, 0)
  assert.equal(inTime + late, flights.length)
  for (const figure of [inTime, late]) assert.ok(readme.includes(figure.toLocaleString('en-US')))
})

async function hoursOf(url: string, origin: string): Promise<readonly (readonly unknown[])[]> {
  const answer = await fetch(`${url}/departures/${origin}`)
  assert.equal(answer.status, 200)
  return (await answer.json()) as (readonly unknown[])[]
}

interface Status {
  readonly tasks: readonly { readonly positions: Readonly<Record<string, number>> }[]
}

/** Until the worker has finished so many records, those before its start included. */
async function untilRead(url: string, records: number): Promise<void> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const { tasks } = (await (await fetch(`${url}/status`)).json()) as Status
    const read = tasks.reduce((sum, { positions }) => sum + (positions['departed'] ?? 0), 0)
    if (read >= records) return
    assert.ok(Date.now() < deadline, `${read} of ${records} flights were read in two minutes`)
    await sleep(10)
  }
}

async function reportOf(url: string): Promise<Report> {
  const answer = await fetch(`${url}/report`)
  assert.equal(answer.status, 200)
  return (await answer.json()) as Report
}

/** The same counts by a plain loop over the file: stream time belongs to a partition. */
function fold(flights: readonly Flight[]): Report {
  const departures = new Map<string, number>()
  const late = new Map<string, number>()
  const streamTimes = new Map<number, number>()
  for (const { origin, departedAt } of flights) {
    const partition = murmur2Partitioner.partition(Buffer.from(origin), partitions)
    const streamTime = Math.max(streamTimes.get(partition) ?? 0, departedAt)
    streamTimes.set(partition, streamTime)
    const hour = Math.floor(departedAt / hourMs) * hourMs
    const isLate = hour + hourMs + graceMs <= streamTime
    const [counts, key] = isLate ? [late, origin] : [departures, `${origin} ${hour}`]
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return {
    late: [...late],
    departures: [...departures].map(([key, count]) => {
      const [origin = '', hour] = key.split(' ')
      return [origin, Number(hour), count]
    })
  }
}

function sorted<T>(rows: readonly T[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}
