// Every option of an app as one table: its type, default and limit. Checks, help and docs read it.
import { formatDuration } from '../core/duration.ts'
import { defaultSettings, type WorkerSettings } from '../runtime/settings.ts'
import { kafkaOptions } from './kafka-options.ts'
import { formatBytes, gibibyte, kibibyte } from './option-kinds.ts'
import type { OptionSpec } from './option-spec.ts'
import { selectionOptions, swarmOptions } from './swarm-options.ts'

export const defaultBroker = 'embedded:./.tailrace/log'
export const defaultDatadir = './.tailrace/data'
export const defaultWeb: { readonly host: string; readonly port: number } = {
  host: '127.0.0.1',
  port: 6066
}

export type { OptionSpec } from './option-spec.ts'

const day = 86_400_000

const isFunction = (value: unknown): boolean => typeof value === 'function'
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

function interval(
  path: string,
  limits: { readonly setting: keyof WorkerSettings; readonly min?: number; readonly max?: number },
  doc: string,
  remark?: string
): OptionSpec {
  const { setting, min = 0, max = day } = limits
  const preset = `${formatDuration(Number(defaultSettings[setting]))}${remark ?? ''}`
  return { path, kind: { type: 'duration', min, max }, default: preset, doc, setting }
}

function bytes(setting: keyof WorkerSettings, min: number, doc: string): OptionSpec {
  const kind = { type: 'bytes', min, max: 64 * gibibyte } as const
  const preset = formatBytes(Number(defaultSettings[setting]))
  return { path: setting, kind, default: preset, doc, setting }
}

export const optionTable: readonly OptionSpec[] = [
  {
    path: 'broker',
    kind: { type: 'text' },
    default: `${defaultBroker}, refused under NODE_ENV=production unless written out`,
    doc: 'Where the log is: `embedded:<directory>`, `kafka://host:9092,…` or `memory:`.',
    flag: '--broker'
  },
  {
    path: 'guarantee',
    setting: 'guarantee',
    kind: { type: 'choice', of: ['exactly-once', 'at-least-once'] },
    default: 'exactly-once',
    doc: 'The least that is promised for an event; a broker that gives more gives more.',
    flag: '--guarantee'
  },
  {
    path: 'datadir',
    kind: { type: 'text' },
    default: `${defaultDatadir}/<app>`,
    doc:
      'Where tables are kept: each worker takes `worker-N` in it, the first that is free. ' +
      'A directory that is itself called `worker-N` belongs to one worker alone.',
    flag: '--datadir'
  },
  {
    path: 'store',
    kind: {
      type: 'code',
      expected: "'level', 'memory' or a function that makes a store",
      fits: (value) => value === 'level' || value === 'memory' || isFunction(value)
    },
    default: 'level; memory where the broker is `memory:`',
    doc: 'What keeps the tables between two starts.'
  },
  {
    path: 'transport',
    kind: {
      type: 'code',
      expected: 'a function that makes a transport',
      fits: isFunction
    },
    default: 'chosen by `broker`',
    doc: 'Makes the connection to a log of your own; `broker` is handed to it.'
  },
  {
    path: 'codec',
    kind: {
      type: 'code',
      expected: 'a codec: an object with name, encode and decode',
      fits: isObject
    },
    default: 'json',
    doc: 'Codec of values that name none.'
  },
  {
    path: 'deadLetter',
    kind: { type: 'text' },
    default: 'none: a worker stops at an event that it cannot handle',
    doc: 'Topic for records that could not be handled.'
  },
  {
    path: 'onError',
    kind: {
      type: 'code',
      expected: 'retry(), deadLetter(), skip, stop or a function that returns one',
      fits: (value) => isObject(value) || isFunction(value)
    },
    default: 'retry(), then the dead letter topic if there is one, else stop',
    doc: 'What becomes of an event whose handling failed, where its agent does not say.'
  },
  interval(
    'commitInterval',
    { setting: 'commitIntervalMs', min: 1, max: 3_600_000 },
    'Time between two commits.',
    ' exactly-once, 1s at-least-once'
  ),
  interval(
    'commitTimeout',
    { setting: 'commitTimeoutMs', min: 1 },
    'After this a commit that has not ended has failed.',
    ', or `shutdownTimeout` where that is shorter'
  ),
  interval(
    'brokerTimeout',
    { setting: 'brokerTimeoutMs', min: 1_000 },
    'A broker that has not answered for longer ends the process; until then it is tried again.'
  ),
  interval(
    'drainTimeout',
    { setting: 'drainTimeoutMs' },
    'How long an event may go on when its task moves to another worker.',
    ', or less where `shutdownTimeout` or half of `stallTimeout` is shorter'
  ),
  interval(
    'shutdownTimeout',
    { setting: 'shutdownTimeoutMs', min: 1 },
    'How long a stopping worker waits for the events it works on.'
  ),
  interval(
    'stallTimeout',
    { setting: 'stallTimeoutMs', min: 1_000 },
    'An event worked on for longer ends the process.'
  ),
  interval(
    'taskIdle',
    { setting: 'taskIdleMs', max: 3_600_000 },
    'How long a task waits for a source that has nothing to read, to keep the order of time.'
  ),
  bytes('cacheBytesMax', kibibyte, 'Table values kept decoded in memory, for the whole worker.'),
  bytes('queueBytesMax', kibibyte, 'Records read ahead of one partition; then it is paused.'),
  {
    path: 'queueRecordsMax',
    kind: { type: 'count', min: 1, max: 10_000_000 },
    default: String(defaultSettings.queueRecordsMax),
    doc: 'The same as a number of records.',
    setting: 'queueRecordsMax'
  },
  bytes('fetchBytesMax', kibibyte, 'Bytes of one fetch, for the whole worker.'),
  bytes('recordBytesMax', 1, 'A larger record is refused where it is sent.'),
  interval(
    'futureLimit',
    { setting: 'futureLimitMs', max: 3_650 * day },
    'How far an event can move stream time ahead of the clock.'
  ),
  {
    path: 'offsetReset',
    kind: { type: 'choice', of: ['earliest', 'latest'] },
    default: defaultSettings.offsetReset,
    doc: 'Where an app begins to read a topic that it never read.',
    setting: 'offsetReset'
  },
  {
    path: 'onOffsetLost',
    kind: { type: 'choice', of: ['stop', 'earliest', 'latest'] },
    default: defaultSettings.onOffsetLost,
    doc: 'What happens when the next record to read is gone from the log.',
    setting: 'onOffsetLost'
  },
  interval(
    'stateCleanup',
    { setting: 'stateCleanupMs', max: 3_650 * day },
    'Tables of a task that moved away are deleted after this.'
  ),
  {
    path: 'synchronous',
    kind: { type: 'choice', of: ['normal', 'full'] },
    default: 'normal',
    doc: '`full` waits for the disk, so that the embedded log survives a power loss too.'
  },
  ...kafkaOptions,
  ...selectionOptions,
  ...swarmOptions,
  {
    path: 'web',
    kind: { type: 'switch' },
    default: 'true',
    doc: 'Whether a worker serves its web pages; `false` serves none.',
    flag: '--without-web'
  },
  {
    path: 'web.port',
    kind: { type: 'count', min: 0, max: 65_535 },
    default: String(defaultWeb.port),
    doc: 'Port of the web pages; 0 takes any that is free.',
    flag: '--web-port'
  },
  {
    path: 'web.host',
    kind: { type: 'text' },
    default: defaultWeb.host,
    doc: 'Address on which the web pages are served.',
    flag: '--web-host'
  },
  {
    path: 'logLevel',
    kind: { type: 'choice', of: ['debug', 'info', 'warn', 'error', 'silent'] },
    default: 'info for `worker` and `app.main`, warn for `app.start`',
    doc: 'The least important lines that the log shows.',
    flag: '-l, --log-level'
  }
]

/** The environment's name of an option: `web.port` is TAILRACE_WEB_PORT. */
export function environmentName(path: string): string {
  const words = path.replaceAll('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`)
  return `TAILRACE_${words.toUpperCase()}`
}

/** True for options that text can say, so that flags and the environment can set them. */
export function isTextual(spec: OptionSpec): boolean {
  return spec.kind.type !== 'code' || spec.path === 'store'
}
