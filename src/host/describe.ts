// What a supervisor must know of an app that it never imports: told by a process that ends again.
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { fixedProblems } from '../core/fixed-tasks.ts'
import { hasCode, messageOf, TailraceError } from '../core/errors.ts'
import { type Problem, refuseAll } from '../core/problems.ts'
import type { Selected } from '../core/selection.ts'
import type { Topology } from '../core/topology.ts'
import type { Transport } from '../port/transport.ts'
import { planTopics } from '../runtime/topic-plan.ts'
import { selectionOf } from './choose-tasks.ts'
import { controlPlaceOf, controlProblems } from './control-place.ts'
import { claimDataDirectory } from './data-directory.ts'
import type { ResolvedOptions } from './options.ts'
import type { SwarmDescription } from './swarm-description.ts'
import { withoutSecrets } from './transports.ts'
import { isOneWorkers, parentOf } from './worker-directory.ts'

export interface DescribeParts {
  readonly topology: Topology
  readonly options: ResolvedOptions
  readonly open: () => Promise<Transport>
}

/**
 * Checks everything that can be known before a node starts.
 *
 * @throws every error that a worker would meet at its start for the same reason
 */
export async function describeSwarm(parts: DescribeParts): Promise<SwarmDescription> {
  const { options, topology } = parts
  const selected = selectionOf(topology, options)
  const transport = await parts.open()
  try {
    const { isShared, heartbeatMs, sessionTimeoutMs } = transport.features
    if (!isShared) throw notShared(options)
    const { partitions, problems } = await planTopics(topology, transport, options.settings)
    refuseAll('TAILRACE_TRANSPORT_PARTITIONS', `app "${topology.app}"`, problems)
    const partitionsOf = (sub: string): number => partitions.bySubTopology.get(sub) ?? 0
    const tasks = [...selected.subTopologies].reduce((sum, sub) => sum + partitionsOf(sub), 0)
    const cores = availableParallelism()
    const { nodes: asked } = options.swarm
    const nodes = asked === 'auto' ? Math.max(1, Math.min(cores, tasks)) : asked
    const fixed = options.swarm.assign
    const control = controlPlaceOf(options.swarm, options.web)
    refuseAll('TAILRACE_CONFIG_INVALID', 'the swarm', [
      ...placeProblems(options, nodes),
      ...controlProblems(control, options.web, nodes),
      ...(fixed === undefined
        ? []
        : fixedProblems({
            topology,
            fixed,
            selected: selected.subTopologies,
            nodes,
            partitionsOf
          }))
    ])
    await untilFree(topology.app, options, nodes)
    const { assign: _assign, ...swarm } = options.swarm
    return {
      app: topology.app,
      broker: transport.url === '' ? withoutSecrets(options.broker) : transport.url,
      guarantee: options.guarantee,
      nodes,
      isAuto: asked === 'auto',
      cores,
      tasks,
      units: [...selected.subTopologies].map((name) => ({ name, partitions: partitionsOf(name) })),
      web: options.web,
      control,
      directory: resolve(parentOf(topology.app, options)),
      logLevel: options.logLevel ?? 'info',
      session: { heartbeatMs, sessionTimeoutMs },
      swarm,
      warnings: warningsOf({ nodes, tasks, selected })
    }
  } finally {
    await transport.close()
  }
}

function notShared({ broker }: ResolvedOptions): TailraceError {
  return new TailraceError(
    'TAILRACE_CONFIG_INVALID',
    `a swarm needs a log that its nodes share, and ${JSON.stringify(withoutSecrets(broker))} ` +
      `lives in one process`,
    { hint: 'Use the embedded log (`embedded:<directory>`) or Kafka.' }
  )
}

function placeProblems({ datadir, web }: ResolvedOptions, nodes: number): Problem[] {
  const problems: Problem[] = []
  if (isOneWorkers(datadir)) {
    problems.push({
      path: 'datadir',
      message: `is "${datadir}", which by its name belongs to one worker`,
      fix: 'Name the directory above it: each node takes `worker-<id>` there.'
    })
  }
  if (web !== undefined && web.port > 0 && web.port + nodes - 1 > 65_535) {
    const last = web.port + nodes - 1
    problems.push({
      path: 'web.port',
      message: `is ${web.port}, and the last of ${nodes} nodes would take ${last}`,
      fix: 'Lower it; node n takes web.port + n.'
    })
  }
  return problems
}

function warningsOf(parts: {
  readonly nodes: number
  readonly tasks: number
  readonly selected: Selected
}): string[] {
  const { nodes, selected, tasks } = parts
  const warnings: string[] = []
  if (nodes > tasks) {
    const extra = nodes - tasks
    const waits = extra === 1 ? '1 node waits' : `${extra} nodes wait`
    warnings.push(`there are ${tasks} tasks for ${nodes} nodes: ${waits} until another one is down`)
  }
  for (const topic of selected.fedElsewhere) {
    warnings.push(`"${topic}" is read here, and what fills it was not selected: run it elsewhere`)
  }
  return warnings
}

/** Nodes of a swarm that was killed find out and end within this. */
const leftoverMsMax = 5_000
const againMs = 100

/** Places of nodes that are taken are told now, and not by a node that cannot start. */
async function untilFree(app: string, options: ResolvedOptions, nodes: number): Promise<void> {
  const until = performance.now() + leftoverMsMax
  for (;;) {
    try {
      for (let id = 0; id < nodes; id++) await tryPlace({ app, options, id })
      return
    } catch (error) {
      const isTaken =
        hasCode(error, 'TAILRACE_WEB_PORT_TAKEN') || hasCode(error, 'TAILRACE_STATE_LOCKED')
      if (!isTaken || performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }
}

async function tryPlace(place: {
  readonly app: string
  readonly options: ResolvedOptions
  readonly id: number
}): Promise<void> {
  const { app, id, options } = place
  const { store, web } = options
  if (web !== undefined && web.port > 0) await tryPort(web.host, web.port + id, id)
  if (store === 'memory') return
  const explicit = join(parentOf(app, options), `worker-${id}`)
  const claimed = await claimDataDirectory({ app, explicit })
  await claimed.release()
}

async function tryPort(host: string, port: number, node: number): Promise<void> {
  const server = createServer()
  const failed = await new Promise<unknown>((resolve) => {
    server.once('error', resolve)
    server.listen({ host, port }, () => resolve(undefined))
  })
  if (failed !== undefined) throw portError({ host, port, node, failed })
  await new Promise((resolve) => server.close(resolve))
}

function portError(parts: {
  readonly host: string
  readonly port: number
  readonly node: number
  readonly failed: unknown
}): TailraceError {
  const { failed, host, node, port } = parts
  const isTaken = failed instanceof Error && 'code' in failed && failed.code === 'EADDRINUSE'
  return isTaken
    ? new TailraceError(
        'TAILRACE_WEB_PORT_TAKEN',
        `port ${port} of ${host}, which node ${node} would take, is used by another program`,
        { hint: 'Name another first port with --web-port, or serve none with --without-web.' }
      )
    : new TailraceError(
        'TAILRACE_WEB_ADDRESS',
        `the web pages of node ${node} cannot be served at ${host}:${port}: ${messageOf(failed)}`,
        { cause: failed }
      )
}
