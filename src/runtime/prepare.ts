// Before a worker joins: every topic is there, with the partitions that the topology needs.
import { TailraceError } from '../core/errors.ts'
import { refuseAll } from '../core/problems.ts'
import type { PartitionPlan } from '../core/topology-partitions.ts'
import type { Topology } from '../core/topology.ts'
import type { TopicDescription, TopicLimits, Transport } from '../port/transport.ts'
import type { Log } from './log.ts'
import type { WorkerSettings } from './settings.ts'
import type { StartQuestions } from './start-questions.ts'
import { checkTopics } from './topic-checks.ts'
import { countProblems, planTopics, topicNames } from './topic-plan.ts'

export interface PreparedTopics {
  readonly plan: PartitionPlan
  readonly partitionsOf: (topic: string) => number
  readonly idOf: (topic: string) => string
  readonly limitsOf: (topic: string) => TopicLimits | undefined
}

export interface PrepareParts {
  readonly topology: Topology
  readonly transport: Transport
  readonly settings: Pick<WorkerSettings, 'replicationFactor'>
  readonly log: Log
  readonly questions: StartQuestions
}

const what = {
  describe: 'the topics cannot be looked at',
  create: 'the topics cannot be created'
}

/**
 * Creates what is missing and checks what exists.
 *
 * @throws TAILRACE_TRANSPORT_PARTITIONS, TAILRACE_TRANSPORT_TOPIC_SETTINGS and
 *   TAILRACE_TRANSPORT_FORBIDDEN, each with every topic that does not fit
 */
export async function prepareTopics(parts: PrepareParts): Promise<PreparedTopics> {
  const { log, questions, settings, topology, transport } = parts
  const admin = transport.admin()
  const planned = await questions.ask(what.describe, () =>
    planTopics(topology, transport, settings)
  )
  const { existing, partitions: plan, problems, specs } = planned
  const app = `app "${topology.app}"`
  refuseAll('TAILRACE_TRANSPORT_PARTITIONS', app, problems)
  const missing = specs.filter((spec) => !existing.has(spec.name))
  if (missing.length > 0) await questions.ask(what.create, () => admin.create(missing))
  // Another worker may have made them first, with other counts: what is there decides.
  const there = await questions.ask(what.describe, () => admin.describe(topicNames(topology)))
  const now = new Map(there.map((topic) => [topic.name, topic]))
  refuseAll(
    'TAILRACE_TRANSPORT_PARTITIONS',
    app,
    specs.flatMap((spec) => countProblems(spec, now.get(spec.name)))
  )
  checkTopics({ topology, specs, existing: now, log })
  return {
    plan,
    partitionsOf: (topic) => described(topic, now).partitions,
    idOf: (topic) => described(topic, now).id,
    limitsOf: (topic) => now.get(topic)?.limits
  }
}

function described(topic: string, topics: ReadonlyMap<string, TopicDescription>): TopicDescription {
  const found = topics.get(topic)
  if (found !== undefined) return found
  throw new TailraceError('TAILRACE_TRANSPORT_UNKNOWN_TOPIC', `topic "${topic}" does not exist`)
}
