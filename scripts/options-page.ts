// Writes docs/reference/options.md from the table of options: the page quotes the source.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatDuration } from '../src/core/duration.ts'
import { depthMax } from '../src/core/freeze.ts'
import { type RetryDecision, retry } from '../src/core/decision.ts'
import { defaultPartitions } from '../src/core/topology-partitions.ts'
import { panesMax } from '../src/core/window.ts'
import { scanRowsMax } from '../src/runtime/queries.ts'
import { defaultSettings, transactionTimeoutMs } from '../src/runtime/settings.ts'
import { lockWaitMsMax } from '../src/transport/embedded/database.ts'
import { createEmbeddedTransport } from '../src/transport/embedded/index.ts'
import { waitingBytesMax } from '../src/transport/embedded/producer.ts'
import { formatBytes, type OptionKind } from '../src/host/option-kinds.ts'
import {
  environmentName,
  isTextual,
  type OptionSpec,
  optionTable
} from '../src/host/option-table.ts'

export function optionsPage(): string {
  const rows = optionTable.map(
    (spec) =>
      `| \`${spec.path}\` | ${cell(kindText(spec.kind))} | ${cell(spec.default)} | ` +
      `${cell(placesText(spec))} | ${cell(spec.doc)} |`
  )
  const table = [
    '| option | takes | default | also as | what it is |',
    '|---|---|---|---|---|',
    ...rows
  ]
  return `${[head, table.join('\n'), tail, fixedLimits()].join('\n\n')}\n`
}

/** What is bounded without an option of its own. */
function fixedLimits(): string {
  const embedded = createEmbeddedTransport({ directory: 'never opened' })
  const { heartbeatMs, sessionTimeoutMs, transactionBytesMax } = embedded.features
  const { backoffMs, backoffMsMax, times } = retry() as RetryDecision
  const waits = `${formatDuration(backoffMs)} to ${formatDuration(backoffMsMax)}`
  const rows: readonly (readonly [what: string, value: string])[] = [
    ['tries after the first, where no policy says otherwise', `${times}, waiting ${waits}`],
    ['embedded log: a worker that is silent for longer has left', formatDuration(sessionTimeoutMs)],
    ['embedded log: time between two of its heartbeats', formatDuration(heartbeatMs)],
    ['embedded log: bytes of one transaction', formatBytes(transactionBytesMax)],
    [
      'embedded log: bytes that wait to be written; then sends are refused',
      formatBytes(waitingBytesMax)
    ],
    ['embedded log: wait for its lock; then the write fails', formatDuration(lockWaitMsMax)],
    ['partitions of a topic that names no number', String(defaultPartitions)],
    ['levels of a value', String(depthMax)],
    ['windows that one event falls into', String(panesMax)],
    ['rows of a `scan` that names no `limit`', String(scanRowsMax)]
  ]
  const head = ['## Limits that are no options', '', '| what | limit |', '|---|---|']
  return [...head, ...rows.map(([what, value]) => `| ${what} | ${value} |`)].join('\n')
}

function kindText(kind: OptionKind): string {
  switch (kind.type) {
    case 'duration':
      return `duration, ${formatDuration(kind.min)} to ${formatDuration(kind.max)}`
    case 'bytes':
      return `size, ${formatBytes(kind.min)} to ${formatBytes(kind.max)}`
    case 'count': {
      const also = kind.also === undefined ? '' : `${kind.also}, or `
      return `${also}whole number, ${kind.min} to ${kind.max}`
    }
    case 'choice':
      return kind.of.map((one) => `\`${one}\``).join(' or ')
    case 'switch':
      return '`true` or `false`'
    case 'text':
      return 'text'
    case 'names':
      return 'names, as a list or with commas between them'
    case 'code':
      return kind.expected
  }
}

function placesText(spec: OptionSpec): string {
  const names = [spec.flag, isTextual(spec) ? environmentName(spec.path) : undefined]
  const known = names.filter((name) => name !== undefined).map((name) => `\`${name}\``)
  return known.length === 0 ? 'only in code' : known.join(', ')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

const head = `<!-- Written by \`npm run docs\` from src/host/option-table.ts: change it there. -->

# Options

An option is given in code (\`createApp({ commitInterval: '200ms' })\`), in the environment
(\`TAILRACE_COMMIT_INTERVAL=200ms\`), to \`app.start({ … })\`, or as a flag of the command line.
What stands further to the right in this sentence is stronger. Every mistake of every place is
reported before anything starts, all of them at once; an unknown name is refused. A \`createApp\`
that is wrong in itself throws where it stands, with the mistakes of the environment.

A duration is a number of milliseconds or a text such as \`250ms\`, \`10s\`, \`5m\`, \`1h\`.
A size is a number of bytes, or in text also \`512KiB\`, \`64MiB\`, \`1GiB\`.`

const transactionMs = transactionTimeoutMs(defaultSettings)

const tail = `\`id\` of \`createApp\` has no other place: it names the app, its consumer group and
its internal topics.

The times must fit each other: \`commitInterval\` < \`commitTimeout\` ≤ \`shutdownTimeout\`,
\`drainTimeout\` ≤ \`shutdownTimeout\`, \`drainTimeout\` < \`stallTimeout\`. On Kafka also
\`heartbeat\` < \`sessionTimeout\`. In a swarm twice \`healthInterval\` ≤ \`healthTimeout\`,
\`restartDelay\` ≤ \`restartDelayMax\`, \`shutdownTimeout\` ≤ \`swarm.shutdownTimeout\`, and where
members are static \`restartDelay\` and \`bootTimeout\` together ≤ \`sessionTimeout\`. Only what
somebody wrote can contradict; a default gives way.

The brokers abort a transaction that is open for longer than all of these one after the other:
\`commitInterval\`, \`stallTimeout\`, twice \`commitTimeout\` (a commit may have to wait for a
join of the group) and 30s, which is ${formatDuration(transactionMs)} by default. They have limits
of their own for it and for \`sessionTimeout\`, and refuse what is beyond when the worker starts.`

export const optionsPagePath: string = join(
  import.meta.dirname,
  '..',
  'docs',
  'reference',
  'options.md'
)

if (import.meta.main) {
  mkdirSync(join(optionsPagePath, '..'), { recursive: true })
  writeFileSync(optionsPagePath, optionsPage())
}
