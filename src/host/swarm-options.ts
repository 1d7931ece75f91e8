// The options of a swarm: how many nodes, when one is ill, and how it comes back.
import type { FixedPartitions } from '../core/fixed-tasks.ts'
import { type Duration, formatDuration } from '../core/duration.ts'
import type { HealthLimits } from '../runtime/node-place.ts'
import { formatBytes, gibibyte } from './option-kinds.ts'
import type { OptionSpec } from './option-spec.ts'

/** From when on a node is ill: it is stopped, and started anew. */
export interface SwarmLimits {
  /** Nothing was asked of the log for so long, though the loop runs. @default 5m */
  readonly poll?: Duration
  /** One event was worked on for longer. @default 5m */
  readonly event?: Duration
  /** Resident memory of the node's process: bytes, or a text such as `1GB`. @default none */
  readonly memory?: number | string
  /** The group has not settled what is the node's for so long. @default 10m */
  readonly membership?: Duration
  /** The node's loop was blocked for longer. @default 5m */
  readonly loop?: Duration
  /** Share of the room for old objects that they take, in percent. @default 95 */
  readonly heap?: number
  /** A table that is being restored has not come further for so long. @default 10m */
  readonly restore?: Duration
}

/** `tailrace swarm`: several workers of one machine, and a supervisor that keeps them alive. */
export interface SwarmOptions {
  /** Workers to run; `auto`: one a core, and no more than there are tasks. @default auto */
  readonly nodes?: number | 'auto'
  /** Time between two reports of a node. @default 10s */
  readonly healthInterval?: Duration
  /** A node that was silent for longer is ill. @default 60s */
  readonly healthTimeout?: Duration
  /** From the end of a node to its next start; doubled while it goes on ending. @default 5s */
  readonly restartDelay?: Duration
  /** The longest of those. @default 60s */
  readonly restartDelayMax?: Duration
  /** A node that had to be started again more often than this ends the swarm. @default 10 */
  readonly maxRestarts?: number
  /**
   * Within which they count; those since it was ready for `restartDelayMax` always do.
   *
   * @default 10m
   */
  readonly restartWindow?: Duration
  /** From the start of a node's process to its first report. @default 60s */
  readonly bootTimeout?: Duration
  /** How long a node may take to stop; it is also their `shutdownTimeout`. @default 60s */
  readonly shutdownTimeout?: Duration
  /** Fixes partitions to nodes; nobody takes over those of a node that is down. @default none */
  readonly assign?: FixedPartitions
  /**
   * A module that the supervisor imports, to subscribe to its events; seen from the working
   * directory.
   *
   * @default none
   */
  readonly hooks?: string
  /**
   * Port of the supervisor: its status, probes and commands; 0 takes any that is free.
   *
   * @default the one before `web.port`; any where nodes have no pages
   */
  readonly port?: number
  /** Address to listen at; only probes are answered to other machines. @default 127.0.0.1 */
  readonly host?: string
  /** A supervisor that has not looked at its nodes for longer is not live. @default 60s */
  readonly controlTimeout?: Duration
  /** From when on a node is ill. */
  readonly limits?: SwarmLimits
}

/** The options of a swarm, each with its one value. */
export interface SwarmChoice {
  readonly nodes: number | 'auto'
  readonly healthIntervalMs: number
  readonly healthTimeoutMs: number
  readonly restartDelayMs: number
  readonly restartDelayMaxMs: number
  readonly maxRestarts: number
  readonly restartWindowMs: number
  readonly bootTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly assign: FixedPartitions | undefined
  readonly hooks: string | undefined
  /** Undefined where nobody says it. */
  readonly port: number | undefined
  readonly host: string
  readonly controlTimeoutMs: number
  readonly limits: HealthLimits
}

const day = 86_400_000
const minute = 60_000

export const swarmDefaults: Omit<SwarmChoice, 'assign' | 'hooks' | 'port'> = {
  nodes: 'auto',
  healthIntervalMs: 10_000,
  healthTimeoutMs: minute,
  restartDelayMs: 5_000,
  restartDelayMaxMs: minute,
  maxRestarts: 10,
  restartWindowMs: 10 * minute,
  bootTimeoutMs: minute,
  shutdownTimeoutMs: minute,
  host: '127.0.0.1',
  controlTimeoutMs: minute,
  limits: {
    pollMs: 5 * minute,
    eventMs: 5 * minute,
    memoryBytes: undefined,
    membershipMs: 10 * minute,
    loopMs: 5 * minute,
    heapPercent: 95,
    restoreMs: 10 * minute
  }
}

/** More on one machine is a mistake in a script. */
const nodesMax = 1_024

function time(name: string, presetMs: number, doc: string, remark: string = ''): OptionSpec {
  return {
    path: `swarm.${name}`,
    kind: { type: 'duration', min: 10, max: day },
    default: `${formatDuration(presetMs)}${remark}`,
    doc
  }
}

function names(path: string, flag: string, doc: string): OptionSpec {
  return { path, kind: { type: 'names' }, default: 'none', doc, flag }
}

const { limits } = swarmDefaults

/** Which part of the app a worker runs. */
export const selectionOptions: readonly OptionSpec[] = [
  names('includeAgents', '--include-agents', 'Runs only these agents; stronger than an exclusion.'),
  names('excludeAgents', '--exclude-agents', 'Runs all agents but these.'),
  names('includeTopics', '--include-topics', 'Reads only these topics; stronger likewise.'),
  names('excludeTopics', '--exclude-topics', 'Reads all topics but these.')
]

export const swarmOptions: readonly OptionSpec[] = [
  {
    path: 'swarm.nodes',
    kind: { type: 'count', min: 1, max: nodesMax, also: 'auto' },
    default: 'auto: one a core, and no more than there are tasks',
    doc: 'Workers that `tailrace swarm` runs.',
    flag: '--nodes'
  },
  time('healthInterval', swarmDefaults.healthIntervalMs, 'Time between two reports of a node.'),
  time('healthTimeout', swarmDefaults.healthTimeoutMs, 'A node that is silent for longer is ill.'),
  time(
    'restartDelay',
    swarmDefaults.restartDelayMs,
    'From the end of a node to its next start; doubled while it goes on ending.'
  ),
  time('restartDelayMax', swarmDefaults.restartDelayMaxMs, 'The longest of those.'),
  {
    path: 'swarm.maxRestarts',
    kind: { type: 'count', min: 0, max: 1_000_000 },
    default: String(swarmDefaults.maxRestarts),
    doc: 'A node that had to be started again more often than this ends the swarm.'
  },
  time(
    'restartWindow',
    swarmDefaults.restartWindowMs,
    'Within which they count; those since it was ready for `restartDelayMax` always do.'
  ),
  time(
    'bootTimeout',
    swarmDefaults.bootTimeoutMs,
    "From the start of a node's process to its first report.",
    ', or less where a static member must be back within its session'
  ),
  time(
    'shutdownTimeout',
    swarmDefaults.shutdownTimeoutMs,
    'How long a node may take to stop; it is their `shutdownTimeout` where that is not written.',
    ', or `shutdownTimeout` where that is longer'
  ),
  {
    path: 'swarm.assign',
    kind: {
      type: 'code',
      expected: 'partitions by node by agent or topic: { orders: { 0: [0, 1], 1: [2, 3] } }',
      fits: isAssign
    },
    default: 'none: the group shares them out',
    doc: 'Fixes partitions to nodes; nobody takes over those of a node that is down.'
  },
  {
    path: 'swarm.hooks',
    kind: { type: 'text' },
    default: 'none',
    doc: 'Module that the supervisor imports, to see its events; relative to the working directory.'
  },
  {
    path: 'swarm.port',
    kind: { type: 'count', min: 0, max: 65_535 },
    default: 'the one before `web.port`; any that is free where nodes have no pages',
    doc: 'Port of the supervisor: status, probes, commands; 0 takes any that is free.',
    flag: '--control-port'
  },
  {
    path: 'swarm.host',
    kind: { type: 'text' },
    default: swarmDefaults.host,
    doc: 'Address of that port; to other machines only `/live` and `/ready` are answered.',
    flag: '--control-host'
  },
  time(
    'controlTimeout',
    swarmDefaults.controlTimeoutMs,
    'A supervisor that has not looked at its nodes for longer is not live.'
  ),
  time('limits.poll', limits.pollMs, 'Health 1: so long nothing was asked of the log.'),
  time('limits.event', limits.eventMs, 'Health 2: so long one event was worked on.'),
  {
    path: 'swarm.limits.memory',
    kind: { type: 'bytes', min: 1_000_000, max: 4_096 * gibibyte },
    default: 'none',
    doc: `Health 3: resident memory of a node, such as ${formatBytes(gibibyte)}.`
  },
  time('limits.membership', limits.membershipMs, 'Health 4: so long the group has not settled.'),
  time('limits.loop', limits.loopMs, 'Health 5: so long the loop of the node was blocked.'),
  {
    path: 'swarm.limits.heap',
    kind: { type: 'count', min: 1, max: 100 },
    default: String(limits.heapPercent),
    doc: 'Health 6: share of the room for old objects that they take, in percent.'
  },
  time('limits.restore', limits.restoreMs, 'Health 7: so long a restore has not come further.')
]

function isAssign(value: unknown): value is FixedPartitions {
  if (!isRecord(value)) return false
  return Object.values(value).every(
    (byNode) =>
      isRecord(byNode) &&
      Object.entries(byNode).every(
        ([node, partitions]) =>
          /^\d+$/.test(node) &&
          Array.isArray(partitions) &&
          partitions.every((one) => Number.isInteger(one) && one >= 0)
      )
  )
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
