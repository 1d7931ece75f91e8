// fetch: raw read of a topic from its beginning, by our fetcher and by ConsumerPerformance of Java.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { partitions } from '../page-views.ts'
import type { Figures } from '../report.ts'
import { type KafkaBench, Surroundings } from './bench.ts'
import { LineProcess, type Start } from './line-process.ts'

const lookEveryMs = 20
/** Of a record's value. */
const valueBytes = 100

/** A topic of records of about 100 bytes. */
export async function fillRaw({ desk, prefix }: KafkaBench, records: number): Promise<string> {
  const topic = `${prefix}raw`
  await desk.create([topic])
  await desk.writeRaw(topic, records, valueBytes)
  return topic
}

let runs = 0

/** One process that reads all of it; `isOurs` says with what. */
export async function readAll(
  bench: KafkaBench,
  topic: string,
  { isOurs, records }: { readonly isOurs: boolean; readonly records: number }
): Promise<Figures> {
  const errors = join(bench.directory, `fetch-${++runs}.err`)
  const reader = new LineProcess(
    isOurs ? our(bench, { topic, records, errors }) : java(bench, { topic, records, errors })
  )
  try {
    const surroundings = new Surroundings(bench, reader)
    let around: Figures = {}
    // It ends by itself, and what it has used is gone with it.
    while (reader.isRunning) {
      reader.cpuMs()
      reader.peakMb()
      around = surroundings.figures(reader)
      await sleep(lookEveryMs)
    }
    const seen = isOurs ? await ourRecords(reader) : recordsOf(reader.lines)
    if (seen.records !== records) {
      throw new Error(`${seen.records} of ${records} records were read:\n${reader.tail()}`)
    }
    return {
      recordsPerSecond: (records * 1_000) / seen.ms,
      cpuMicrosPerEvent: (reader.cpuMs() * 1_000) / records,
      rssMbPeak: reader.peakMb(),
      ...around
    }
  } finally {
    reader.kill()
  }
}

interface Reading {
  readonly topic: string
  readonly records: number
  readonly errors: string
}

interface Seen {
  readonly records: number
  readonly ms: number
}

function our({ broker, options }: KafkaBench, { errors, records, topic }: Reading): Start {
  const file = fileURLToPath(new URL('fetch-worker.ts', import.meta.url))
  const { profile } = options
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  return {
    command: [process.execPath, ...process.execArgv, ...flags, file],
    env: {
      BROKER: broker.address,
      IN_TOPIC: topic,
      N: String(records),
      PARTITIONS: String(partitions)
    },
    errors
  }
}

function java({ broker, java, prefix }: KafkaBench, { errors, records, topic }: Reading): Start {
  const main = 'org.apache.kafka.tools.ConsumerPerformance'
  const options = {
    'bootstrap-server': broker.address,
    topic,
    group: `${prefix}fetch-${runs}`,
    'num-records': String(records),
    timeout: '60000'
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  return { command: [...java.command(main, { heap: '1g' }), ...args], env: {}, errors }
}

async function ourRecords(reader: LineProcess): Promise<Seen> {
  const { ms, n } = await reader.event('read')
  return { records: Number(n), ms: Number(ms) }
}

// A line of names, and one of values. Joining the group is left out, as ours joins none.
function recordsOf(lines: readonly string[]): Seen {
  const at = lines.findIndex((line) => line.includes('fetch.time.ms'))
  const names = lines[at]?.split(',').map((name) => name.trim()) ?? []
  const values = lines[at + 1]?.split(',') ?? []
  const value = (name: string): number => Number(values[names.indexOf(name)])
  return { records: value('data.consumed.in.nMsg'), ms: value('fetch.time.ms') }
}
