// Whether the topics that exist keep what the app puts into them, as safely as was asked, and
// whether we may use them: told before a worker joins, and not by what fails later.
import { formatDuration } from '../core/duration.ts'
import { type Problem, refuseAll } from '../core/problems.ts'
import type { Topology } from '../core/topology.ts'
import type { TopicDescription, TopicRight, TopicSpec } from '../port/transport.ts'
import type { Log } from './log.ts'
import { topicUses } from './topic-uses.ts'

export interface TopicChecks {
  readonly topology: Topology
  readonly specs: readonly TopicSpec[]
  readonly existing: ReadonlyMap<string, TopicDescription>
  readonly log: Log
}

/** A setting that is not as it should be; `isLosing` by which something would be lost. */
interface Finding {
  readonly setting: string
  readonly has: string
  readonly wanted: string
  readonly why: string
  readonly isLosing: boolean
}

/**
 * Warns of what differs, and refuses what would lose records or cannot be used.
 *
 * @throws TAILRACE_TRANSPORT_TOPIC_SETTINGS, TAILRACE_TRANSPORT_FORBIDDEN
 */
export function checkTopics({ existing, log, specs, topology }: TopicChecks): void {
  const uses = topicUses(topology)
  const problems: Problem[] = []
  const lacks: Problem[] = []
  for (const spec of specs) {
    const has = existing.get(spec.name)
    const use = uses.get(spec.name)
    if (has === undefined || use === undefined) continue
    const path = `topic ${JSON.stringify(spec.name)}`
    const isWritten = use.rights.has('write')
    const findings = [
      ...safetyFindings(spec, has, isWritten),
      ...(use.kind === 'changelog' ? changelogFindings(spec, has) : []),
      ...(use.kind === 'repartition' ? repartitionFindings(has) : [])
    ]
    for (const { has: value, isLosing, setting, wanted, why } of findings) {
      const message = `${setting} is ${value}; expected ${wanted}: ${why}`
      if (isLosing) problems.push({ path, message })
      else log.warn({ topic: spec.name, setting, has: value, wanted }, `${path}: ${message}`)
    }
    lacks.push(...rightProblems(path, has, use.rights))
  }
  const what = `app "${topology.app}"`
  refuseAll('TAILRACE_TRANSPORT_TOPIC_SETTINGS', what, problems)
  refuseAll('TAILRACE_TRANSPORT_FORBIDDEN', what, lacks)
}

// Weaker than asked is no matter of taste: somebody counts on it.
function safetyFindings(spec: TopicSpec, has: TopicDescription, isWritten: boolean): Finding[] {
  const findings: Finding[] = []
  const { insyncMin } = has
  // A log that is one server keeps what it keeps.
  if (insyncMin === undefined) return findings
  if (has.replication < spec.replication) {
    findings.push({
      setting: 'replication',
      has: String(has.replication),
      wanted: `at least ${spec.replication}`,
      why: 'fewer brokers keep each record than the app asks for',
      isLosing: true
    })
  }
  if (isWritten && insyncMin > has.replication) {
    findings.push({
      setting: 'min.insync.replicas',
      has: String(insyncMin),
      wanted: `at most its replication, which is ${has.replication}`,
      why: 'nothing can be written',
      isLosing: true
    })
  }
  return findings
}

function changelogFindings(spec: TopicSpec, has: TopicDescription): Finding[] {
  const findings: Finding[] = []
  const { cleanupPolicy, retentionMs, timestampType } = has.settings
  const wanted = spec.settings
  const keptMs = wanted.retentionMs < 0 ? Number.POSITIVE_INFINITY : wanted.retentionMs
  const isDeleting = cleanupPolicy !== 'compact' && retentionMs >= 0
  if (isDeleting && retentionMs < keptMs) {
    findings.push({
      setting: 'retention.ms with cleanup.policy',
      has: `${retentionMs} (${formatDuration(retentionMs)}) with ${cleanupPolicy}`,
      wanted: wanted.retentionMs < 0 ? wanted.cleanupPolicy : `at least ${wanted.retentionMs}`,
      why: 'rows of the table would be deleted that are still needed',
      isLosing: true
    })
  }
  if (cleanupPolicy !== wanted.cleanupPolicy && !isDeleting) {
    findings.push({
      setting: 'cleanup.policy',
      has: cleanupPolicy,
      wanted: wanted.cleanupPolicy,
      why: 'it grows without end, and restores take ever longer',
      isLosing: false
    })
  }
  if (timestampType !== 'append') {
    findings.push({
      setting: 'message.timestamp.type',
      has: 'CreateTime',
      wanted: 'LogAppendTime',
      why: isDeleting
        ? 'rows of old events would be deleted as soon as they are written'
        : 'rows of events far from now may be refused',
      isLosing: isDeleting
    })
  }
  return findings
}

function repartitionFindings({ settings }: TopicDescription): Finding[] {
  const { cleanupPolicy, retentionMs } = settings
  if (cleanupPolicy !== 'delete') {
    const why = 'of the events of a key all but the last would be lost'
    return [
      { setting: 'cleanup.policy', has: cleanupPolicy, wanted: 'delete', why, isLosing: true }
    ]
  }
  if (retentionMs < 0) return []
  return [
    {
      setting: 'retention.ms',
      has: `${retentionMs} (${formatDuration(retentionMs)})`,
      wanted: '-1',
      why: 'an app that was stopped for longer, or is so far behind, loses events',
      isLosing: false
    }
  ]
}

const rightNames: Readonly<Record<TopicRight, string>> = {
  read: 'READ',
  write: 'WRITE',
  delete: 'DELETE'
}

function rightProblems(
  path: string,
  { rights }: TopicDescription,
  needed: ReadonlySet<TopicRight>
): Problem[] {
  if (rights === undefined) return []
  return [...needed]
    .filter((right) => !rights.includes(right))
    .map((right) => ({
      path,
      message: `this user lacks the right ${rightNames[right]}`,
      fix: `Give this user the right ${rightNames[right]} on the topic, by an ACL.`
    }))
}
