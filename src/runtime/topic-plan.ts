// The topics that a topology needs: which are there, which are missing, which differ.
import type { TopicDeclaration } from '../core/declarations.ts'
import type { Problem } from '../core/problems.ts'
import { type PartitionPlan, planPartitions } from '../core/topology-partitions.ts'
import { changelogOf, type Topology } from '../core/topology.ts'
import type { TopicDescription, TopicSettings, TopicSpec, Transport } from '../port/transport.ts'
import { defaultSettings, type WorkerSettings } from './settings.ts'

/** What is to be, and what is there. */
export interface TopicsPlan {
  readonly partitions: PartitionPlan
  readonly specs: readonly TopicSpec[]
  readonly existing: ReadonlyMap<string, TopicDescription>
  /** Why a worker would not start. */
  readonly problems: readonly Problem[]
}

/** One setting of a topic that is not as the app would make it. */
export interface TopicDifference {
  readonly setting: string
  readonly has: string
  readonly wanted: string
}

const dayMs = 86_400_000
const weekMs = 7 * dayMs

/** Asks the log what is there; changes nothing. */
export async function planTopics(
  topology: Topology,
  transport: Transport,
  { replicationFactor }: Pick<WorkerSettings, 'replicationFactor'> = defaultSettings
): Promise<TopicsPlan> {
  const described = await transport.admin().describe(topicNames(topology))
  const existing = new Map(described.map((topic) => [topic.name, topic]))
  const counts = new Map(described.map(({ name, partitions }) => [name, partitions]))
  const partitions = planPartitions(topology, counts)
  const { replicationDefault } = transport.features
  const replication = replicationDefault ?? 1
  const isChosen = replicationDefault !== undefined && replicationFactor > 0
  const ownReplication = isChosen ? replicationFactor : replication
  const parts = { plan: partitions, existing: counts, replication, ownReplication }
  const specs = specsOf(topology, parts)
  const problems = [
    ...partitions.problems,
    ...specs.flatMap((spec) => countProblems(spec, existing.get(spec.name)))
  ]
  return { partitions, specs, existing, problems }
}

/** What of an existing topic is not as `spec` would have it; settings that nobody named are not. */
export function differencesOf(spec: TopicSpec, exists: TopicDescription): TopicDifference[] {
  const rows: (readonly [setting: string, has: string | number, wanted: string | number])[] = [
    ['partitions', exists.partitions, spec.partitions],
    ['cleanup policy', exists.settings.cleanupPolicy, spec.settings.cleanupPolicy],
    ['retention in ms', exists.settings.retentionMs, spec.settings.retentionMs],
    ['timestamps', exists.settings.timestampType, spec.settings.timestampType],
    ...extraRows(exists.settings, spec.settings)
  ]
  // Below 1 the log chooses.
  if (spec.replication > 0) rows.push(['replication', exists.replication, spec.replication])
  return rows
    .filter(([, has, wanted]) => has !== wanted)
    .map(([setting, has, wanted]) => ({ setting, has: String(has), wanted: String(wanted) }))
}

function extraRows(has: TopicSettings, wanted: TopicSettings): [string, string, string][] {
  return Object.entries(wanted.extra).map(([name, value]) => [
    name,
    has.extra[name] ?? 'the default',
    value
  ])
}

export function countProblems(spec: TopicSpec, exists: TopicDescription | undefined): Problem[] {
  if (exists === undefined || exists.partitions === spec.partitions) return []
  return [
    {
      path: `topic "${spec.name}"`,
      message: `has ${exists.partitions} partitions and needs ${spec.partitions}`,
      fix: 'Delete it, if what it holds can go, or bring the source topics to its count.'
    }
  ]
}

export function topicNames(topology: Topology): readonly string[] {
  const { deadLetter, tables, topics } = topology.declarations
  const names = topics.map((topic) => topic.name)
  const changelogs = tables.map((table) => changelogOf(topology.app, table))
  return [...new Set([...names, ...changelogs, ...(deadLetter === undefined ? [] : [deadLetter])])]
}

interface SpecParts {
  readonly plan: PartitionPlan
  readonly existing: ReadonlyMap<string, number>
  /** Of declared topics that name none. */
  readonly replication: number
  /** Of those that the app makes for itself. */
  readonly ownReplication: number
}

function specsOf(topology: Topology, parts: SpecParts): readonly TopicSpec[] {
  const { existing, ownReplication, plan, replication } = parts
  const { deadLetter, topics } = topology.declarations
  const declared = topics.map((topic) => ({
    ...specOf(topic, plan.byTopic.get(topic.name) ?? 1),
    replication: topic.role === 'repartition' ? ownReplication : (topic.replication ?? replication)
  }))
  const changelogs = topology.subTopologies.flatMap((sub) =>
    sub.tables.map((table): TopicSpec => {
      const windowMs = table.window?.retentionMs
      return {
        name: changelogOf(topology.app, table),
        partitions: plan.bySubTopology.get(sub.name) ?? 1,
        replication: ownReplication,
        settings: {
          cleanupPolicy: windowMs === undefined ? 'compact' : 'compact,delete',
          // Stamped by the log, so that old events are not deleted while they are restored.
          retentionMs: windowMs === undefined ? -1 : windowMs + dayMs,
          timestampType: 'append',
          // Who comes back later than this rebuilds, so no default of a broker may shorten it.
          extra: { 'delete.retention.ms': String(dayMs) }
        }
      }
    })
  )
  const isNew = deadLetter !== undefined && !topics.some((topic) => topic.name === deadLetter)
  if (!isNew) return [...declared, ...changelogs]
  const most = Math.max(1, ...plan.bySubTopology.values())
  const partitions = existing.get(deadLetter) ?? most
  const letters = { ...deadLetterSpec(deadLetter, partitions), replication: ownReplication }
  return [...declared, ...changelogs, letters]
}

function specOf(topic: TopicDeclaration, partitions: number): Omit<TopicSpec, 'replication'> {
  return {
    name: topic.name,
    partitions,
    settings: {
      cleanupPolicy: topic.cleanupPolicy,
      retentionMs: topic.retentionMs ?? weekMs,
      timestampType: 'create',
      extra: topic.role === 'repartition' ? { ...anyTime, ...topic.extra } : topic.extra
    }
  }
}

/** Events have the time they have: what the app itself passes on is refused at no age. */
const anyTime = {
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807'
}

function deadLetterSpec(name: string, partitions: number): Omit<TopicSpec, 'replication'> {
  return {
    name,
    partitions,
    settings: { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create', extra: anyTime }
  }
}
