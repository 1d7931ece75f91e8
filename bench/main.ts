// `npm run bench -- W1`: measures one workload, checks its result, prints medians.
import { eachRows } from './each.ts'
import { kafkaRows } from './kafka/rows.ts'
import { latencyRows } from './latency.ts'
import { openLog, withDirectory } from './log.ts'
import { microRows } from './micro.ts'
import { type BenchOptions, benchOptions, type EmbeddedWorkload } from './options.ts'
import { firstTimestamp } from './page-views.ts'
import { type Figures, lastLine, type Row, rowText } from './report.ts'
import { swarmRows } from './swarm.ts'
import { type Bench, fill, run, type Variant } from './throughput.ts'

interface Named {
  readonly name: string
  readonly variant: Variant
  readonly events?: number
}

const counting = (form: 'loop' | 'handler', commitInterval: string): Named => ({
  name: `${form}, commit ${commitInterval}`,
  variant: { program: 'count', form, commitInterval }
})

// The first row is the one of the last line: the loop, and the peers' commit interval.
const counted: readonly Named[] = [
  counting('loop', '1s'),
  counting('handler', '1s'),
  counting('loop', '100ms'),
  counting('handler', '100ms')
]

const produced: readonly Named[] = (['loop', 'handler'] as const).map((form) => ({
  name: `${form}, commit 100ms`,
  variant: { program: 'produce', form, commitInterval: '100ms' }
}))

const eventsOf: Partial<Record<EmbeddedWorkload, number>> = { rss: 20_000_000, restore: 6_000_000 }

// Who ends this process ends what it has started: the handlers of `exit` do.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(1))
}

try {
  const options = benchOptions(process.argv.slice(2))
  let first: Row | undefined
  const tell = (row: Row): void => {
    first ??= row
    print(row, options.isJson)
  }
  if (options.broker === 'kafka') await kafkaRows(options, tell)
  else for (const row of await rowsOf(options)) tell(row)
  if (first !== undefined) console.log(lastLine(first))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  // What a measurement that failed left open must not keep the process.
  process.exit(1)
}

function print(row: Row, isJson: boolean): void {
  if (!isJson) console.log(`${rowText(row)}\n`)
  else console.log(JSON.stringify({ variant: row.variant, ...JSON.parse(lastLine(row)) }))
}

async function rowsOf(options: BenchOptions): Promise<readonly Row[]> {
  const chosen = (all: readonly Named[]): Named[] =>
    all.filter(({ name }) => name.includes(options.only))
  switch (options.workload) {
    case 'W1':
      return readRows(options, chosen(counted))
    case 'W2':
      return readRows(options, chosen(produced))
    case 'rss':
      return readRows(options, chosen(memoryRows(options.events ?? 20_000_000)))
    case 'restore':
      return readRows(options, [
        {
          name: 'loop, into an empty store',
          variant: { program: 'count', form: 'loop', commitInterval: '1s', isRestored: true }
        }
      ])
    case 'W6':
    case 'loop-hold':
      return withDirectory((directory) => latencyRows(options, directory))
    case 'micro':
      return microRows(options)
    case 'each':
      return eachRows(options)
    case 'swarm':
      return swarmRows(options)
  }
}

/** The table keeps two minutes, so that it is full long before either end. */
function memoryRows(events: number): readonly Named[] {
  const variant: Variant = {
    program: 'count',
    form: 'loop',
    commitInterval: '100ms',
    retentionMs: 120_000
  }
  const once = Math.round(events / 10)
  return [
    { name: `loop, ${events} events`, variant, events },
    { name: `loop, ${once} events`, variant, events: once }
  ]
}

/** A fresh process compiles while it works: so many events come before the measured ones. */
function warmUpShareOf(workload: EmbeddedWorkload): number {
  return workload === 'W1' || workload === 'W2' ? 0.25 : 0
}

async function readRows(options: BenchOptions, all: readonly Named[]): Promise<readonly Row[]> {
  const { broker, workload } = options
  const events = options.events ?? eventsOf[workload] ?? 2_000_000
  const figures = new Map<string, Figures[]>(all.map(({ name }) => [name, []]))
  for (const size of new Set(all.map((one) => one.events ?? events))) {
    const rows = all.filter((one) => (one.events ?? events) === size)
    await withDirectory(async (directory) => {
      const warmUp = Math.round(size * warmUpShareOf(workload))
      const total = size + warmUp
      const load = { events: total, base: firstTimestamp(total, Date.now()) }
      await fill(directory, load)
      const transport = await openLog(directory)
      const bench: Bench = { directory, transport, load, warmUp, profile: options.profile }
      try {
        await measure(bench, rows, { runs: options.runs, figures })
      } finally {
        await transport.close()
      }
    })
  }
  return all.map(({ name }) => {
    const runs = figures.get(name) ?? []
    return { workload, variant: name, broker, guarantee: 'exactly-once', runs }
  })
}

// Rows take turns, so that what else the machine does falls on all of them. Where a rate is
// measured, a first run warms the machine's caches, and is not counted.
async function measure(
  bench: Bench,
  rows: readonly Named[],
  { runs, figures }: { readonly runs: number; readonly figures: Map<string, Figures[]> }
): Promise<void> {
  const [first] = rows
  if (first !== undefined && bench.warmUp > 0) await run(bench, first.variant)
  for (let round = 1; round <= runs; round++) {
    for (const { name, variant } of rows) {
      const one = await run(bench, variant)
      figures.get(name)?.push(one)
      console.error(`${round}/${runs} ${name}: ${JSON.stringify(one)}`)
    }
  }
}
