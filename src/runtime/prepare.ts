// Before a worker joins: every topic is there, with the partitions that the topology needs.
import type { TopicDeclaration } from '../core/declarations.ts'
import { TailraceError } from '../core/errors.ts'
import { type Problem, refuseAll } from '../core/problems.ts'
import { type PartitionPlan, planPartitions } from '../core/topology-partitions.ts'
import { changelogOf, type Topology } from '../core/topology.ts'
import type { TopicDescription, TopicSpec, Transport } from '../port/transport.ts'

export interface PreparedTopics {
  readonly plan: PartitionPlan
  readonly partitionsOf: (topic: string) => number
  readonly idOf: (topic: string) => string
}

const dayMs = 86_400_000
const weekMs = 7 * dayMs

/**
 * Creates what is missing and checks what exists.
 *
 * @throws TAILRACE_TRANSPORT_PARTITIONS with every topic that does not fit
 */
export async function prepareTopics(
  topology: Topology,
  transport: Transport
): Promise<PreparedTopics> {
  const admin = transport.admin()
  const wanted = wantedNames(topology)
  const existing = new Map((await admin.describe(wanted)).map((topic) => [topic.name, topic]))
  const counts = new Map([...existing].map(([name, topic]) => [name, topic.partitions]))
  const plan = planPartitions(topology, counts)
  const specs = specsOf(topology, plan, counts)
  const what = `app "${topology.app}"`
  refuseAll('TAILRACE_TRANSPORT_PARTITIONS', what, [
    ...plan.problems,
    ...specs.flatMap((spec) => countProblems(spec, existing.get(spec.name)))
  ])
  const missing = specs.filter((spec) => !existing.has(spec.name))
  if (missing.length > 0) await admin.create(missing)
  // Another worker may have made them first, with other counts: what is there decides.
  const now = new Map((await admin.describe(wanted)).map((topic) => [topic.name, topic]))
  refuseAll(
    'TAILRACE_TRANSPORT_PARTITIONS',
    what,
    specs.flatMap((spec) => countProblems(spec, now.get(spec.name)))
  )
  return {
    plan,
    partitionsOf: (topic) => described(topic, now).partitions,
    idOf: (topic) => described(topic, now).id
  }
}

function described(topic: string, topics: ReadonlyMap<string, TopicDescription>): TopicDescription {
  const found = topics.get(topic)
  if (found !== undefined) return found
  throw new TailraceError('TAILRACE_TRANSPORT_UNKNOWN_TOPIC', `topic "${topic}" does not exist`)
}

function countProblems(spec: TopicSpec, exists: TopicDescription | undefined): Problem[] {
  if (exists === undefined || exists.partitions === spec.partitions) return []
  return [
    {
      path: `topic "${spec.name}"`,
      message: `has ${exists.partitions} partitions and needs ${spec.partitions}`,
      fix: 'Delete it, if what it holds can go, or bring the source topics to its count.'
    }
  ]
}

function wantedNames(topology: Topology): readonly string[] {
  const { deadLetter, tables, topics } = topology.declarations
  const names = topics.map((topic) => topic.name)
  const changelogs = tables.map((table) => changelogOf(topology.app, table))
  return [...new Set([...names, ...changelogs, ...(deadLetter === undefined ? [] : [deadLetter])])]
}

function specsOf(
  topology: Topology,
  plan: PartitionPlan,
  existing: ReadonlyMap<string, number>
): readonly TopicSpec[] {
  const { deadLetter, topics } = topology.declarations
  const declared = topics.map((topic) => specOf(topic, plan.byTopic.get(topic.name) ?? 1))
  const changelogs = topology.subTopologies.flatMap((sub) =>
    sub.tables.map((table): TopicSpec => {
      const windowMs = table.window?.retentionMs
      return {
        name: changelogOf(topology.app, table),
        partitions: plan.bySubTopology.get(sub.name) ?? 1,
        replication: 1,
        settings: {
          cleanupPolicy: windowMs === undefined ? 'compact' : 'compact,delete',
          // Stamped by the log, so that old events are not deleted while they are restored.
          retentionMs: windowMs === undefined ? -1 : windowMs + dayMs,
          timestampType: 'append',
          extra: {}
        }
      }
    })
  )
  const isNew = deadLetter !== undefined && !topics.some((topic) => topic.name === deadLetter)
  if (!isNew) return [...declared, ...changelogs]
  const most = Math.max(1, ...plan.bySubTopology.values())
  const letters = deadLetterSpec(deadLetter, existing.get(deadLetter) ?? most)
  return [...declared, ...changelogs, letters]
}

function specOf(topic: TopicDeclaration, partitions: number): TopicSpec {
  return {
    name: topic.name,
    partitions,
    replication: topic.replication ?? 1,
    settings: {
      cleanupPolicy: topic.cleanupPolicy,
      retentionMs: topic.retentionMs ?? weekMs,
      timestampType: 'create',
      extra: topic.extra
    }
  }
}

function deadLetterSpec(name: string, partitions: number): TopicSpec {
  return {
    name,
    partitions,
    replication: 1,
    settings: { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create', extra: {} }
  }
}
