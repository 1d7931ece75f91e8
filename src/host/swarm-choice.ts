// The options of a swarm with their one value each, and what of them contradicts.
import { formatDuration } from '../core/duration.ts'
import type { Problem } from '../core/problems.ts'
import { type SwarmChoice, swarmDefaults } from './swarm-options.ts'

/** What was said about options, wherever it was. */
export interface Chosen {
  has(path: string): boolean
  get<T>(path: string): T | undefined
  /** As it was written, or that it is the default. */
  nameOf(path: string): string
}

/** What a node is beside a swarm's own options. */
export interface NodeTimes {
  /** Of the worker, where somebody wrote it. */
  readonly shutdownTimeoutMs: number | undefined
  /** Within which a static member must be back; undefined where members are not static. */
  readonly sessionTimeoutMs: number | undefined
}

/** Reports that may be lost before a node counts as silent. */
const reportsOfTimeout = 3
const bootMsMin = 1_000

/** Only what somebody wrote can contradict: a default gives way to it. */
export function swarmOf(chosen: Chosen, times: NodeTimes): SwarmChoice {
  const get = (name: keyof typeof swarmDefaults, option: string): number =>
    chosen.get<number>(`swarm.${option}`) ?? Number(swarmDefaults[name])
  const healthTimeout = chosen.get<number>('swarm.healthTimeout')
  const healthIntervalMs =
    chosen.get<number>('swarm.healthInterval') ??
    Math.min(swarmDefaults.healthIntervalMs, (healthTimeout ?? Infinity) / reportsOfTimeout)
  const restartDelayMax = chosen.get<number>('swarm.restartDelayMax')
  const restartDelayMs =
    chosen.get<number>('swarm.restartDelay') ??
    Math.min(swarmDefaults.restartDelayMs, restartDelayMax ?? Infinity)
  return {
    nodes: chosen.get('swarm.nodes') ?? swarmDefaults.nodes,
    healthIntervalMs,
    healthTimeoutMs:
      healthTimeout ?? Math.max(swarmDefaults.healthTimeoutMs, reportsOfTimeout * healthIntervalMs),
    restartDelayMs,
    restartDelayMaxMs: restartDelayMax ?? Math.max(swarmDefaults.restartDelayMaxMs, restartDelayMs),
    maxRestarts: get('maxRestarts', 'maxRestarts'),
    restartWindowMs: get('restartWindowMs', 'restartWindow'),
    bootTimeoutMs: bootTimeoutOf(chosen, times, restartDelayMs),
    shutdownTimeoutMs:
      chosen.get<number>('swarm.shutdownTimeout') ??
      Math.max(swarmDefaults.shutdownTimeoutMs, times.shutdownTimeoutMs ?? 0),
    assign: chosen.get('swarm.assign'),
    hooks: chosen.get('swarm.hooks'),
    port: chosen.get('swarm.port'),
    host: chosen.get('swarm.host') ?? swarmDefaults.host,
    controlTimeoutMs: get('controlTimeoutMs', 'controlTimeout'),
    limits: limitsOf(chosen)
  }
}

function bootTimeoutOf(chosen: Chosen, times: NodeTimes, restartDelayMs: number): number {
  const { sessionTimeoutMs = Infinity } = times
  const within = Math.max(bootMsMin, sessionTimeoutMs - restartDelayMs)
  return chosen.get('swarm.bootTimeout') ?? Math.min(swarmDefaults.bootTimeoutMs, within)
}

function limitsOf(chosen: Chosen): SwarmChoice['limits'] {
  const preset = swarmDefaults.limits
  const get = (name: string, value: number): number => chosen.get(`swarm.limits.${name}`) ?? value
  return {
    pollMs: get('poll', preset.pollMs),
    eventMs: get('event', preset.eventMs),
    memoryBytes: chosen.get('swarm.limits.memory'),
    membershipMs: get('membership', preset.membershipMs),
    loopMs: get('loop', preset.loopMs),
    heapPercent: get('heap', preset.heapPercent),
    restoreMs: get('restore', preset.restoreMs)
  }
}

/** What a swarm would do that nobody can have meant. */
export function swarmProblems(chosen: Chosen, swarm: SwarmChoice, times: NodeTimes): Problem[] {
  const problems: Problem[] = []
  const refuse = (path: string, message: string, fix: string): void => {
    problems.push({ path: chosen.nameOf(path), message, fix })
  }
  const named = (path: string, ms: number): string =>
    `${chosen.nameOf(path)}, which is ${formatDuration(ms)}`
  if (2 * swarm.healthIntervalMs > swarm.healthTimeoutMs) {
    refuse(
      'swarm.healthInterval',
      `is ${formatDuration(swarm.healthIntervalMs)}; expected at most half of ` +
        named('swarm.healthTimeout', swarm.healthTimeoutMs),
      'Lower it, or raise `swarm.healthTimeout`: one report may come late.'
    )
  }
  if (swarm.restartDelayMs > swarm.restartDelayMaxMs) {
    refuse(
      'swarm.restartDelay',
      `is ${formatDuration(swarm.restartDelayMs)}; expected at most ` +
        named('swarm.restartDelayMax', swarm.restartDelayMaxMs),
      'Lower it, or raise `swarm.restartDelayMax`.'
    )
  }
  const { sessionTimeoutMs, shutdownTimeoutMs = 0 } = times
  if (shutdownTimeoutMs > swarm.shutdownTimeoutMs) {
    refuse(
      'shutdownTimeout',
      `is ${formatDuration(shutdownTimeoutMs)}; expected at most ` +
        named('swarm.shutdownTimeout', swarm.shutdownTimeoutMs),
      'Lower it, or raise `swarm.shutdownTimeout`: a node would be killed while it stops.'
    )
  }
  const awayMs = swarm.restartDelayMs + swarm.bootTimeoutMs
  if (sessionTimeoutMs !== undefined && awayMs > sessionTimeoutMs) {
    refuse(
      'swarm.bootTimeout',
      `and ${chosen.nameOf('swarm.restartDelay')} are ${formatDuration(awayMs)} together; ` +
        `expected at most ${named('sessionTimeout', sessionTimeoutMs)}`,
      'Lower one, or raise `sessionTimeout`: a static node that is back later has lost its tasks.'
    )
  }
  return problems
}
