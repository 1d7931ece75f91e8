// The command line of the bench.
import { parseArgs } from 'node:util'

const embedded = [
  'W1',
  'W2',
  'W6',
  'loop-hold',
  'rss',
  'micro',
  'restore',
  'each',
  'swarm'
] as const
const kafka = ['W1', 'W2', 'W4', 'W6', 'fetch', 'all'] as const
export type EmbeddedWorkload = (typeof embedded)[number]
export type KafkaWorkload = (typeof kafka)[number]
export type Guarantee = 'exactly-once' | 'at-least-once'

interface Common {
  readonly runs: number
  readonly events: number | undefined
  readonly isJson: boolean
  /** Rows whose name holds this; all of them when it is empty. */
  readonly only: string
  /** Where CPU profiles of the workers go. */
  readonly profile: string | undefined
}

export interface BenchOptions extends Common {
  readonly broker: 'embedded'
  readonly workload: EmbeddedWorkload
}

export interface KafkaOptions extends Common {
  readonly broker: 'kafka'
  readonly workload: KafkaWorkload
  /** The one measured; undefined for those that the workload is about. */
  readonly guarantee: Guarantee | undefined
  readonly peers: readonly string[]
  /** Leave Tailrace itself out. */
  readonly isPeersOnly: boolean
  /** Messages a second of W6, and for how long. */
  readonly rate: number
  readonly warmMs: number
  readonly measureMs: number
  /** Who has not read everything after this is measured by what it has. */
  readonly cutMs: number
}

export const usage = `npm run bench -- <workload> [options]

  W1         count page views by minute: durable table, changelog
  W2         filter, map, produce
  W4         kafka: restore a table of a million keys into an empty directory
  W6         latency from send to visible output at 1,000 messages a second
  fetch      kafka: raw read, beside Java's ConsumerPerformance
  all        kafka: all of these, under the guarantees that each is about
  loop-hold  embedded: longest hold of the event loop at 20,000 messages a second
  rss        embedded: memory at ten times the events, against once
  micro      embedded: cost of an event, part by part
  restore    embedded: records a second from the changelog into an empty store
  each       embedded: a handler that waits, 64 events of a partition at a time against one
  swarm      embedded: one, two and three nodes over work that takes the processor

  --broker embedded    the log (default), or kafka: a broker of its own, or TAILRACE_TEST_KAFKA
  --runs N             measured runs (default 3)
  --events N           events of a run (embedded 2,000,000, rss 20,000,000, each 1,000 one at a
                       time; kafka W1 and W2 12,000,000, W4 1,000,000 keys, fetch 5,000,000)
  --only TEXT          only rows whose name holds TEXT: loop, handler, 1s, 100ms
  --profile DIRECTORY  write a CPU profile of each worker
  --json               each row as JSON; the last line always is

  With --broker kafka:
  --guarantee G        exactly-once or at-least-once (default: what the workload is about)
  --peers A,B          ks, ks-nocache; with TAILRACE_PEERS=<folder> also kafkajs-map, goka, ...
  --peers-only         leave Tailrace out
  --rate N             messages a second of W6 (default 1,000)
  --warm S             seconds of W6 before it is measured (default 20)
  --seconds S          seconds of W6 (default 20)
  --cut S              measure who takes longer by what it has done (default 900)`

export function benchOptions(args: readonly string[]): BenchOptions | KafkaOptions {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      broker: { type: 'string', default: 'embedded' },
      runs: { type: 'string', default: '3' },
      events: { type: 'string' },
      only: { type: 'string', default: '' },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
      guarantee: { type: 'string' },
      peers: { type: 'string', default: '' },
      'peers-only': { type: 'boolean', default: false },
      rate: { type: 'string', default: '1000' },
      warm: { type: 'string', default: '20' },
      seconds: { type: 'string', default: '20' },
      cut: { type: 'string', default: '900' }
    }
  })
  const [name, ...more] = positionals
  if (more.length > 0) throw new Error(usage)
  const common = {
    runs: count('--runs', values.runs),
    events: values.events === undefined ? undefined : count('--events', values.events),
    isJson: values.json,
    only: values.only,
    profile: values.profile
  }
  if (values.broker === 'embedded') {
    return { ...common, broker: 'embedded', workload: oneOf(embedded, name) }
  }
  if (values.broker !== 'kafka') {
    throw new Error(`--broker is ${values.broker}; expected embedded or kafka`)
  }
  return {
    ...common,
    broker: 'kafka',
    workload: oneOf(kafka, name),
    guarantee: guarantee(values.guarantee),
    peers: values.peers.split(',').filter((one) => one !== ''),
    isPeersOnly: values['peers-only'],
    rate: count('--rate', values.rate),
    warmMs: count('--warm', values.warm) * 1_000,
    measureMs: count('--seconds', values.seconds) * 1_000,
    cutMs: count('--cut', values.cut) * 1_000
  }
}

function oneOf<T extends string>(known: readonly T[], name: string | undefined): T {
  const found = known.find((one) => one === name)
  if (found === undefined) throw new Error(usage)
  return found
}

function guarantee(text: string | undefined): Guarantee | undefined {
  if (text === undefined || text === 'exactly-once' || text === 'at-least-once') return text
  throw new Error(`--guarantee is ${text}; expected exactly-once or at-least-once`)
}

function count(name: string, text: string): number {
  const value = Number(text.replaceAll('_', ''))
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`${name} is ${text}, not a number of them`)
}
