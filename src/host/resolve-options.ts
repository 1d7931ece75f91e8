// One value for each option: flag before start before environment before code before default.
import { formatDuration } from '../core/duration.ts'
import { nameProblem, type Problem, refuseAll } from '../core/problems.ts'
import { defaultSettings, type WorkerSettings } from '../runtime/settings.ts'
import { groupTimesOf } from '../transport/kafka/group-times.ts'
import {
  type Environment,
  layerOfEnvironment,
  layerOfFlags,
  layerOfObject,
  type OptionLayer
} from './option-layers.ts'
import { defaultBroker, defaultDatadir, defaultWeb, optionTable } from './option-table.ts'
import type { AppOptions, KafkaChoice, ResolvedOptions, RunOptions } from './options.ts'
import { type NodeTimes, swarmOf, swarmProblems } from './swarm-choice.ts'

export interface OptionSources {
  readonly app: AppOptions
  readonly start?: RunOptions & { readonly signals?: boolean }
  /** Of the command line: text by path. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly environment: Environment
  /** A node of a swarm stops as long as its swarm waits, unless somebody wrote how long. */
  readonly isNode?: boolean
}

/**
 * Checks what code gave to `createApp`, at once, where the mistake can be seen. Where it is refused
 * nothing else will look at the environment, so that is told along with it.
 *
 * @throws TAILRACE_CONFIG_INVALID with every problem
 */
export function checkAppOptions(options: AppOptions, environment: Environment): void {
  if (typeof options !== 'object' || options === null) {
    const message = 'needs an object with at least an id'
    refuseAll('TAILRACE_CONFIG_INVALID', 'the app', [{ path: 'createApp', message }])
    return
  }
  const problems = [...idProblems(options), ...appLayer(options).problems]
  if (problems.length > 0) problems.push(...layerOfEnvironment(environment).problems)
  refuseAll('TAILRACE_CONFIG_INVALID', 'the app', problems)
}

function idProblems({ id }: AppOptions): Problem[] {
  const path = 'createApp({ id })'
  if (typeof id !== 'string') return [{ path, message: 'must name the app: a text' }]
  const problem = nameProblem(id)
  return problem === undefined ? [] : [{ path, message: problem }]
}

function appLayer(options: AppOptions): OptionLayer {
  return layerOfObject('createApp', options, ['id'])
}

/**
 * The options a worker runs by.
 *
 * @throws TAILRACE_CONFIG_INVALID with every problem of every source
 */
export function resolveOptions(sources: OptionSources): ResolvedOptions {
  const layers = [
    layerOfFlags(sources.flags ?? {}),
    layerOfObject('app.start', sources.start ?? {}, ['signals']),
    layerOfEnvironment(sources.environment),
    appLayer(sources.app)
  ]
  const chosen = new Choice(layers)
  const times = nodeTimesOf(chosen)
  const swarm = swarmOf(chosen, times)
  const settings = settingsOf(
    chosen,
    sources.isNode === true ? { shutdownTimeoutMs: swarm.shutdownTimeoutMs } : {}
  )
  const broker = chosen.get<string>('broker') ?? defaultBroker
  const isKafka = !chosen.has('transport') && /^kafka:/i.test(broker)
  const isProduction = sources.environment['NODE_ENV'] === 'production'
  refuseAll('TAILRACE_CONFIG_INVALID', 'the configuration', [
    ...layers.flatMap((layer) => layer.problems),
    ...timeoutProblems(settings, chosen),
    ...swarmProblems(chosen, swarm, times),
    ...(isKafka ? kafkaProblems(chosen) : []),
    ...(isProduction ? productionProblems(chosen, sources.environment) : [])
  ])
  return {
    broker,
    isBrokerDefault: !chosen.has('broker'),
    guarantee: settings.guarantee,
    deadLetter: chosen.get('deadLetter'),
    datadir: chosen.get('datadir') ?? defaultDatadir,
    isDatadirDefault: !chosen.has('datadir'),
    store: chosen.get('store') ?? (broker.startsWith('memory:') ? 'memory' : 'level'),
    transport: chosen.get('transport'),
    settings,
    kafka: kafkaOf(chosen),
    synchronous: chosen.get('synchronous') ?? 'normal',
    web:
      chosen.get<boolean>('web') === false
        ? undefined
        : {
            host: chosen.get('web.host') ?? defaultWeb.host,
            port: chosen.get('web.port') ?? defaultWeb.port
          },
    logLevel: chosen.get('logLevel'),
    selection: {
      includeAgents: chosen.get('includeAgents'),
      excludeAgents: chosen.get('excludeAgents'),
      includeTopics: chosen.get('includeTopics'),
      excludeTopics: chosen.get('excludeTopics')
    },
    swarm
  }
}

function nodeTimesOf(chosen: Choice): NodeTimes {
  const { instanceId, isStatic, ...kafka } = kafkaOf(chosen)
  const { sessionTimeoutMs } = groupTimesOf(kafka)
  const isMemberStatic = isStatic || instanceId !== undefined
  return {
    shutdownTimeoutMs: chosen.get('shutdownTimeout'),
    sessionTimeoutMs: isMemberStatic ? sessionTimeoutMs : undefined
  }
}

function kafkaOf(chosen: Choice): KafkaChoice {
  const group = (name: string, members: readonly string[]): Record<string, string> =>
    Object.fromEntries(
      members.flatMap((member) => {
        const value = chosen.get<string>(`${name}.${member}`)
        return value === undefined ? [] : [[member, value]]
      })
    )
  return {
    sasl: group('sasl', ['mechanism', 'username', 'password', 'token', 'tokenFile']),
    tls: chosen.get<boolean>('tls') === true && group('tls', ['ca', 'cert', 'key', 'keyPassword']),
    sessionTimeoutMs: chosen.get('sessionTimeout'),
    heartbeatMs: chosen.get('heartbeat'),
    instanceId: chosen.get('instanceId'),
    isStatic: chosen.get('static') ?? false,
    rack: chosen.get('rack')
  }
}

/** The first layer that says something about a path decides. */
class Choice {
  readonly #layers: readonly OptionLayer[]

  constructor(layers: readonly OptionLayer[]) {
    this.#layers = layers
  }

  has(path: string): boolean {
    return this.#layer(path) !== undefined
  }

  // The table says the type of each path, and `readOption` has checked it.
  get<T>(path: string): T | undefined {
    return this.#layer(path)?.values.get(path) as T | undefined
  }

  /** As it was written, or that it is the default. */
  nameOf(path: string): string {
    return this.#layer(path)?.nameOf(path) ?? `${path} (default)`
  }

  #layer(path: string): OptionLayer | undefined {
    return this.#layers.find((layer) => layer.values.has(path))
  }
}

function settingsOf(chosen: Choice, presets: Partial<WorkerSettings>): WorkerSettings {
  const isWeaker = chosen.get('guarantee') === 'at-least-once'
  const given: Record<string, unknown> = {
    ...presets,
    ...(isWeaker && { commitIntervalMs: 1_000 })
  }
  for (const { path, setting } of optionTable) {
    if (setting !== undefined && chosen.has(path)) given[setting] = chosen.get(path)
  }
  const settings: WorkerSettings = { ...defaultSettings, ...given }
  const { commitTimeoutMs, drainTimeoutMs, shutdownTimeoutMs, stallTimeoutMs } = settings
  // Only what somebody wrote can contradict: a default gives way to it.
  return {
    ...settings,
    commitTimeoutMs: chosen.has('commitTimeout')
      ? commitTimeoutMs
      : Math.min(commitTimeoutMs, shutdownTimeoutMs),
    drainTimeoutMs: chosen.has('drainTimeout')
      ? drainTimeoutMs
      : Math.min(drainTimeoutMs, shutdownTimeoutMs, stallTimeoutMs / 2)
  }
}

/** The ordered inequality: a shorter time must have ended before a longer one that waits for it. */
const orders: readonly (readonly [shorter: string, longer: string, isStrict: boolean])[] = [
  ['commitInterval', 'commitTimeout', true],
  ['commitTimeout', 'shutdownTimeout', false],
  ['drainTimeout', 'shutdownTimeout', false],
  ['drainTimeout', 'stallTimeout', true]
]

function timeoutProblems(settings: WorkerSettings, chosen: Choice): Problem[] {
  const msOf = (path: string): number => {
    const spec = optionTable.find((one) => one.path === path)
    return Number(spec?.setting === undefined ? 0 : settings[spec.setting])
  }
  return orders.flatMap(([shorter, longer, isStrict]) => {
    const [a, b] = [msOf(shorter), msOf(longer)]
    if (a < b || (a === b && !isStrict)) return []
    const relation = isStrict ? 'less than' : 'at most'
    const message =
      `is ${formatDuration(a)}; expected ${relation} ${chosen.nameOf(longer)}, ` +
      `which is ${formatDuration(b)}`
    return [{ path: chosen.nameOf(shorter), message, fix: `Lower one, or raise \`${longer}\`.` }]
  })
}

/**
 * What else must fit where the brokers of Kafka are asked. That a commit fits into a rebalance and
 * a transaction needs no check: `rebalanceTimeoutMs` and `transactionTimeoutMs` are made of it.
 */
function kafkaProblems(chosen: Choice): Problem[] {
  const problems: Problem[] = []
  const { heartbeatMs, sessionTimeoutMs } = groupTimesOf(kafkaOf(chosen))
  if (heartbeatMs >= sessionTimeoutMs) {
    problems.push({
      path: chosen.nameOf('heartbeat'),
      message:
        `is ${formatDuration(heartbeatMs)}; expected less than ` +
        `${chosen.nameOf('sessionTimeout')}, which is ${formatDuration(sessionTimeoutMs)}`,
      fix: 'Lower one, or raise `sessionTimeout`.'
    })
  }
  return problems
}

/** What the transport of a worker must keep, known only when it is there. */
export function heartbeatProblems(times: {
  readonly heartbeatMs: number
  readonly sessionTimeoutMs: number
}): Problem[] {
  if (times.heartbeatMs < times.sessionTimeoutMs) return []
  const heartbeat = formatDuration(times.heartbeatMs)
  const session = formatDuration(times.sessionTimeoutMs)
  return [
    {
      path: 'heartbeat of the transport',
      message: `is ${heartbeat}; expected less than its session timeout, which is ${session}`
    }
  ]
}

function productionProblems(chosen: Choice, environment: Environment): Problem[] {
  const problems: Problem[] = []
  if (!chosen.has('broker') && !chosen.has('transport')) {
    problems.push({
      path: 'broker',
      message: `is not set; the default ${defaultBroker} is refused under NODE_ENV=production`,
      fix: `Write it out: TAILRACE_BROKER=embedded:<directory>, --broker or createApp({ broker }).`
    })
  }
  if (environment['TAILRACE_FAILPOINT'] !== undefined) {
    problems.push({
      path: 'TAILRACE_FAILPOINT',
      message: 'is set; it ends the process on purpose and is refused under NODE_ENV=production',
      fix: 'Unset it: it is for tests.'
    })
  }
  return problems
}
