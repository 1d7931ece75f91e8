// What a worker says when it starts: where it reads, what it promises, what it has to do.
import { formatDuration } from '../core/duration.ts'
import type { Topology } from '../core/topology.ts'
import type { Safety, Transport } from '../port/transport.ts'
import { topicNames } from '../runtime/topic-plan.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import type { WorkerStatus } from '../runtime/worker.ts'
import type { ResolvedOptions } from './options.ts'
import { withoutSecrets } from './transports.ts'
import type { HostedWorker } from './worker.ts'

export interface StartReport {
  readonly app: string
  readonly broker: string
  readonly isBrokerDefault: boolean
  readonly guarantee: string
  readonly store: string
  readonly directory: string | undefined
  readonly topics: Readonly<Record<string, number>>
  readonly partitions: number
  readonly tasks: readonly string[]
  /** Records that were read from changelogs to bring the tables back. */
  readonly restored: number
  readonly web: string | undefined
  readonly pid: number
  /** Which node of a swarm it is; undefined for a worker alone. */
  readonly node: number | undefined
  readonly supervisorPid: number | undefined
}

/** What a running worker is; asks the log for the partition counts. */
export async function reportOf(
  worker: HostedWorker,
  {
    node,
    options,
    topology
  }: {
    readonly options: ResolvedOptions
    readonly topology: Topology
    readonly node?: NodePlace | undefined
  }
): Promise<StartReport> {
  const { directory, store, transport, url } = worker.assembly
  const names = topology.declarations.topics.map((topic) => topic.name)
  const described = (await transport?.admin().describe(names)) ?? []
  const { counters, tasks } = worker.status()
  return {
    app: topology.app,
    broker: transport?.url ?? withoutSecrets(options.broker),
    isBrokerDefault: options.isBrokerDefault && options.transport === undefined,
    guarantee: await guaranteeOf(options, topology, transport),
    store: store?.name ?? '',
    directory,
    topics: Object.fromEntries(described.map(({ name, partitions }) => [name, partitions])),
    partitions: described.reduce((sum, { partitions }) => sum + partitions, 0),
    tasks: tasks.map((task) => task.id),
    restored: counters.restoredRecords,
    web: url,
    pid: process.pid,
    node: node?.id,
    supervisorPid: node?.supervisorPid
  }
}

/** What is promised, by what means, and how many servers must be lost to break it. */
async function guaranteeOf(
  { guarantee }: ResolvedOptions,
  topology: Topology,
  transport: Transport | undefined
): Promise<string> {
  const admin = transport?.admin()
  if (admin?.safety === undefined) {
    const given = 'exactly-once: one storage transaction holds outputs, changelogs and offsets'
    return guarantee === 'exactly-once' ? given : `${given} (at-least-once was asked)`
  }
  const means =
    guarantee === 'exactly-once'
      ? 'one transaction holds outputs, changelogs and offsets'
      : 'offsets are committed when outputs and changelogs are there'
  return `${guarantee}: ${means}; ${safetyText(await admin.safety(topicNames(topology)))}`
}

/** Who reads it learns what a lost disk would take along. */
export function safetyText({ insyncMin, replication, servers }: Safety): string {
  const where = `of ${servers} ${servers === 1 ? 'broker' : 'brokers'}`
  const copies = `each record is on ${replication} ${where}, written when ${insyncMin} have it`
  if (insyncMin > replication) return `${copies}: NOTHING CAN BE WRITTEN`
  return insyncMin === 1 ? `${copies}: a disk that is lost takes records along` : copies
}

/** The report as lines for people. */
export function reportText(report: StartReport): string {
  const chosen = report.isBrokerDefault ? ' (the default: no broker was named)' : ''
  const place = report.directory === undefined ? '' : ` in ${report.directory}`
  const topics = Object.entries(report.topics).map(([name, count]) => `${name} (${count})`)
  const rows: readonly (readonly [string, string])[] = [
    ['app', `${report.app}, pid ${report.pid}`],
    ['broker', `${report.broker}${chosen}`],
    ['guarantee', report.guarantee],
    ['store', `${report.store}${place}`],
    ['topics', topics.length === 0 ? 'none' : topics.join(', ')],
    ['tasks', report.tasks.length === 0 ? 'none yet' : `${report.tasks.length} of this worker`],
    ['restored', report.restored === 0 ? 'nothing to restore' : `${report.restored} records`],
    ['web', report.web ?? 'none']
  ]
  return rows.map(([name, text]) => `${name.padEnd(10)}${text}`).join('\n')
}

/** One line: what is the same for all nodes stands in the report of the supervisor. */
export function nodeReportText(
  { pid, restored, tasks, web }: StartReport,
  { id }: NodePlace
): string {
  const does = tasks.length === 0 ? 'no task yet' : `${tasks.length} tasks`
  const parts = [
    `pid ${pid}`,
    does,
    `${restored} records restored`,
    ...(web === undefined ? [] : [web])
  ]
  return `node ${id}    ${parts.join(', ')}`
}

export interface RestoreReport {
  readonly tasks: number
  readonly restored: number
  /** Records of the changelogs that are still to be read. */
  readonly remaining: number
  /** Undefined until it can be told. */
  readonly etaMs: number | undefined
}

/** How far the tables are restored; undefined when none is being restored. */
export function restoreOf({ tasks }: WorkerStatus): RestoreReport | undefined {
  const restoring = tasks.filter((task) => task.state === 'restoring')
  if (restoring.length === 0) return undefined
  const etas = restoring.flatMap((task) => task.restore?.etaMs ?? [])
  return {
    tasks: tasks.length,
    restored: tasks.length - restoring.length,
    remaining: restoring.reduce((sum, task) => sum + (task.restore?.remaining ?? 0), 0),
    etaMs: etas.length === restoring.length ? Math.max(...etas) : undefined
  }
}

/** The same as a line for people. */
export function restoreText({ etaMs, remaining, restored, tasks }: RestoreReport): string {
  const eta = etaMs === undefined ? '' : `, about ${formatDuration(etaMs)}`
  return `restored  ${restored} of ${tasks} tasks, ${remaining} records left${eta}`
}
