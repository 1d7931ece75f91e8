// What a worker says when it starts: where it reads, what it promises, what it has to do.
import { formatDuration } from '../core/duration.ts'
import type { Topology } from '../core/topology.ts'
import type { WorkerStatus } from '../runtime/worker.ts'
import type { ResolvedOptions } from './options.ts'
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
  readonly web: string | undefined
  readonly pid: number
}

/** What a running worker is; asks the log for the partition counts. */
export async function reportOf(
  worker: HostedWorker,
  { options, topology }: { readonly options: ResolvedOptions; readonly topology: Topology }
): Promise<StartReport> {
  const { directory, store, transport, url } = worker.assembly
  const names = topology.declarations.topics.map((topic) => topic.name)
  const described = (await transport?.admin().describe(names)) ?? []
  const { tasks } = worker.status()
  return {
    app: topology.app,
    broker: transport?.url ?? options.broker,
    isBrokerDefault: options.isBrokerDefault && options.transport === undefined,
    guarantee: guaranteeOf(options),
    store: store?.name ?? '',
    directory,
    topics: Object.fromEntries(described.map(({ name, partitions }) => [name, partitions])),
    partitions: described.reduce((sum, { partitions }) => sum + partitions, 0),
    tasks: tasks.map((task) => task.id),
    web: url,
    pid: process.pid
  }
}

function guaranteeOf({ guarantee }: ResolvedOptions): string {
  const given = 'exactly-once: one storage transaction holds outputs, changelogs and offsets'
  return guarantee === 'exactly-once' ? given : `${given} (at-least-once was asked)`
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
    ['web', report.web ?? 'none']
  ]
  return rows.map(([name, text]) => `${name.padEnd(10)}${text}`).join('\n')
}

/** How far the tables are restored; undefined when none is being restored. */
export function restoreText({ tasks }: WorkerStatus): string | undefined {
  const restoring = tasks.filter((task) => task.state === 'restoring')
  if (restoring.length === 0) return undefined
  const remaining = restoring.reduce((sum, task) => sum + (task.restore?.remaining ?? 0), 0)
  const etas = restoring.map((task) => task.restore?.etaMs)
  const known = etas.every((eta) => eta !== undefined)
  const eta = known ? `, about ${formatDuration(Math.max(...etas.map(Number)))}` : ''
  const done = tasks.length - restoring.length
  return `restored  ${done} of ${tasks.length} tasks, ${remaining} records left${eta}`
}
