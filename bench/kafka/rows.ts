// The rows of each workload on Kafka: ours and the peers take turns, so that what else the machine
// does falls on all of them.
import type { Guarantee, KafkaOptions } from '../options.ts'
import type { Figures, Row } from '../report.ts'
import { type KafkaBench, withKafka } from './bench.ts'
import { type Candidate, type Form, ours } from './candidates.ts'
import { consume, viewsFor } from './consume.ts'
import { fillRaw, readAll } from './fetch.ts'
import { echo } from './latency.ts'
import { restoreRounds } from './restore.ts'

/** One variant of ours; the peers have one. */
interface Named {
  readonly name: string
  readonly candidate: Candidate
}

type Measure = (candidate: Candidate, round: number) => Promise<Figures>

/** Tells each row as it is there: what comes after it may take long, or fail. */
export async function kafkaRows(options: KafkaOptions, tell: (row: Row) => void): Promise<void> {
  await withKafka(options, async (bench) => {
    const { workload } = options
    if (workload !== 'all') {
      for (const row of await rowsOf(bench, workload)) tell(row)
      return
    }
    const failures: string[] = []
    for (const one of ['W1', 'W2', 'W4', 'W6', 'fetch'] as const) {
      try {
        for (const row of await rowsOf(bench, one)) tell(row)
      } catch (error) {
        failures.push(`${one}: ${error instanceof Error ? error.message : String(error)}`)
        console.error(failures.at(-1))
      }
    }
    if (failures.length > 0) throw new Error(failures.join('\n'))
  })
}

type One = Exclude<KafkaOptions['workload'], 'all'>

/** Those that a workload is about, the one of the gate first. */
const guarantees: Readonly<Record<One, readonly Guarantee[]>> = {
  W1: ['exactly-once', 'at-least-once'],
  W2: ['exactly-once'],
  W4: ['exactly-once'],
  W6: ['at-least-once'],
  fetch: ['at-least-once']
}

async function rowsOf(bench: KafkaBench, workload: One): Promise<readonly Row[]> {
  const { guarantee } = bench.options
  const chosen = guarantee === undefined ? guarantees[workload] : [guarantee]
  if (workload === 'fetch') return fetchRows(bench)
  const rows: Row[] = []
  for (const one of chosen) {
    if (workload === 'W4') rows.push(...(await restoreRows(bench, one)))
    else if (workload === 'W6') rows.push(...(await latencyRows(bench, one)))
    else rows.push(...(await consumeRows(bench, workload, one)))
  }
  return rows
}

/** The first row is the one of the last line: the loop, and the peers' commit interval. */
const forms: readonly Form[] = [
  { form: 'loop', commitMs: 1_000 },
  { form: 'handler', commitMs: 1_000 },
  { form: 'loop', commitMs: 100 }
]

function variants({ options, worker }: KafkaBench, all: readonly Form[]): readonly Named[] {
  if (options.isPeersOnly) return []
  return all
    .map((one) => ({
      name: `${one.form}, commit ${one.commitMs} ms`,
      candidate: ours(one, { profile: options.profile, worker })
    }))
    .filter(({ name }) => name.includes(options.only))
}

async function consumeRows(
  bench: KafkaBench,
  workload: 'W1' | 'W2',
  guarantee: Guarantee
): Promise<readonly Row[]> {
  const input = await viewsFor(bench, bench.options.events ?? 12_000_000)
  const of = workload === 'W1' ? 'w1' : 'w2'
  const measured = guarantee === 'at-least-once' ? 1 : workload === 'W2' ? 2 : forms.length
  const all = variants(bench, forms.slice(0, measured))
  return turns(bench, { workload, guarantee, variants: all }, (candidate, round) =>
    consume(bench, candidate, { workload: of, guarantee, input, isChecked: round === 1 })
  )
}

async function latencyRows(bench: KafkaBench, guarantee: Guarantee): Promise<readonly Row[]> {
  // With at-least-once nobody waits for a commit, and nobody lingers; otherwise all commit alike.
  const isWeak = guarantee === 'at-least-once'
  const env = isWeak ? { LINGER: '0' } : { COMMIT_MS: '100' }
  const peers = bench.peers.map((peer) => ({ ...peer, env: { ...peer.env, ...env } }))
  const all = variants(bench, [{ form: 'loop', commitMs: isWeak ? 1_000 : 100 }])
  return turns({ ...bench, peers }, { workload: 'W6', guarantee, variants: all }, (candidate) =>
    echo(bench, candidate, guarantee)
  )
}

async function restoreRows(bench: KafkaBench, guarantee: Guarantee): Promise<readonly Row[]> {
  const all = variants(bench, forms.slice(0, 1))
  const candidates = [...all.map(({ candidate }) => candidate), ...bench.peers]
  const figures = await restoreRounds(bench, candidates, guarantee)
  const runs = (candidate: Candidate): readonly Figures[] => figures.get(candidate) ?? []
  const peers = Object.fromEntries(bench.peers.map((peer) => [peer.name, runs(peer)]))
  const [own] = all
  const variant = own?.name ?? 'peers only'
  const row = { workload: 'W4', variant, broker: 'kafka', guarantee, peers }
  return [{ ...row, runs: own === undefined ? [] : runs(own.candidate) }]
}

async function fetchRows(bench: KafkaBench): Promise<readonly Row[]> {
  const { isPeersOnly, runs } = bench.options
  const records = bench.options.events ?? 5_000_000
  const topic = await fillRaw(bench, records)
  const own: Figures[] = []
  const java: Figures[] = []
  for (let round = 1; round <= runs; round++) {
    const read = async (isOurs: boolean, into: Figures[]): Promise<void> => {
      const one = await readAll(bench, topic, { isOurs, records })
      into.push(one)
      report(`${round}/${runs} fetch ${isOurs ? 'ours' : 'java'}`, one)
    }
    if (!isPeersOnly) await read(true, own)
    await read(false, java)
  }
  await bench.desk.delete(topic)
  const names = { workload: 'fetch', variant: `${records} records`, broker: 'kafka' }
  return [{ ...names, guarantee: 'at-least-once', runs: own, peers: { java } }]
}

interface Turns {
  readonly workload: string
  readonly guarantee: Guarantee
  readonly variants: readonly Named[]
}

/** Each round: all variants of ours, then each peer. */
async function turns(
  { options: { runs }, peers }: KafkaBench,
  { guarantee, variants: all, workload }: Turns,
  measure: Measure
): Promise<readonly Row[]> {
  const figures = new Map<string, Figures[]>()
  const take = async (name: string, candidate: Candidate, round: number): Promise<void> => {
    const one = await measure(candidate, round)
    figures.set(name, [...(figures.get(name) ?? []), one])
    report(`${round}/${runs} ${workload} ${guarantee}, ${name}`, one)
  }
  for (let round = 1; round <= runs; round++) {
    for (const { candidate, name } of all) await take(name, candidate, round)
    for (const peer of peers) await take(peer.name, peer, round)
  }
  const beside = Object.fromEntries(peers.map(({ name }) => [name, figures.get(name) ?? []]))
  const names = all.length === 0 ? ['peers only'] : all.map(({ name }) => name)
  return names.map((variant) => ({
    workload,
    variant,
    broker: 'kafka',
    guarantee,
    runs: figures.get(variant) ?? [],
    peers: beside
  }))
}

function report(what: string, figures: Figures): void {
  console.error(`${what}: ${JSON.stringify(figures)}`)
}
