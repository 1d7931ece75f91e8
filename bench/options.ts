// The command line of the bench.
import { parseArgs } from 'node:util'

export const workloads = ['W1', 'W2', 'W6', 'loop-hold', 'rss', 'micro', 'restore'] as const
export type Workload = (typeof workloads)[number]

export interface BenchOptions {
  readonly workload: Workload
  readonly broker: 'embedded'
  readonly runs: number
  readonly events: number | undefined
  readonly isJson: boolean
  /** Rows whose name holds this; all of them when it is empty. */
  readonly only: string
  /** Where CPU profiles of the workers go. */
  readonly profile: string | undefined
}

export const usage = `npm run bench -- <workload> [options]

  W1         count page views by minute: durable table, changelog
  W2         filter, map, produce
  W6         latency from send to visible output at 1,000 messages a second
  loop-hold  longest hold of the event loop at 20,000 messages a second
  rss        memory at ten times the events, against once
  micro      cost of an event, part by part
  restore    records a second from the changelog into an empty store

  --broker embedded    the log (default, and the only one so far)
  --runs N             measured runs after one that warms up (default 3)
  --events N           events of a run (default 2,000,000; rss 20,000,000)
  --only TEXT          only rows whose name holds TEXT: loop, handler, 1s, 100ms
  --profile DIRECTORY  write a CPU profile of each worker
  --json               each row as JSON; the last line always is`

export function benchOptions(args: readonly string[]): BenchOptions {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      broker: { type: 'string', default: 'embedded' },
      runs: { type: 'string', default: '3' },
      events: { type: 'string' },
      only: { type: 'string', default: '' },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false }
    }
  })
  const workload = workloads.find((one) => one === positionals[0])
  if (workload === undefined || positionals.length !== 1) throw new Error(usage)
  if (values.broker !== 'embedded') {
    throw new Error(`--broker is ${values.broker}; this version measures: embedded`)
  }
  return {
    workload,
    broker: values.broker,
    runs: count('--runs', values.runs),
    events: values.events === undefined ? undefined : count('--events', values.events),
    isJson: values.json,
    only: values.only,
    profile: values.profile
  }
}

function count(name: string, text: string): number {
  const value = Number(text.replaceAll('_', ''))
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`${name} is ${text}, not a number of them`)
}
