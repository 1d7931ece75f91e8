// How many partitions everything has: from what exists, what is declared, and what must be equal.
import type { GroupDeclaration, TopicDeclaration } from './declarations.ts'
import type { Problem } from './problems.ts'
import type { TaskSpec } from './task-spec.ts'
import { changelogOf, type SubTopology, type Topology } from './topology.ts'

export const defaultPartitions = 8

export interface PartitionPlan {
  /** Partitions of each sub-topology, hence of its sources and changelogs. */
  readonly bySubTopology: ReadonlyMap<string, number>
  /** Partitions of every declared topic. */
  readonly byTopic: ReadonlyMap<string, number>
  readonly problems: readonly Problem[]
}

/** Decides every partition count; `existing` are the counts of the topics that the log has. */
export function planPartitions(
  topology: Topology,
  existing: ReadonlyMap<string, number>
): PartitionPlan {
  return new Planner(topology, existing).plan()
}

class Planner {
  readonly #topology: Topology
  readonly #existing: ReadonlyMap<string, number>
  readonly #bySubTopology = new Map<string, number>()
  readonly #problems: Problem[] = []
  readonly #open = new Set<string>()

  constructor(topology: Topology, existing: ReadonlyMap<string, number>) {
    this.#topology = topology
    this.#existing = existing
  }

  plan(): PartitionPlan {
    for (const sub of this.#topology.subTopologies) this.#countOf(sub)
    const byTopic = new Map<string, number>()
    for (const topic of this.#topology.declarations.topics) {
      byTopic.set(topic.name, this.#fixed(topic) ?? defaultPartitions)
    }
    for (const sub of this.#topology.subTopologies) {
      const count = this.#bySubTopology.get(sub.name) ?? defaultPartitions
      for (const source of sub.sources) byTopic.set(source.name, count)
    }
    for (const topic of this.#topology.declarations.topics) this.#checkDeclared(topic)
    return { bySubTopology: this.#bySubTopology, byTopic, problems: this.#problems }
  }

  #countOf(sub: SubTopology): number {
    const known = this.#bySubTopology.get(sub.name)
    if (known !== undefined) return known
    // A loop of groups (an agent that feeds its own source) ends at whatever is fixed.
    if (this.#open.has(sub.name)) return 0
    this.#open.add(sub.name)
    const fixed = sub.sources.flatMap((source) => this.#fixed(source) ?? [])
    const count =
      fixed.length > 0
        ? Math.max(...fixed)
        : Math.max(0, ...sub.sources.map((source) => this.#upstream(source))) || defaultPartitions
    this.#bySubTopology.set(sub.name, count)
    this.#checkEqual(sub, count)
    return count
  }

  #fixed(topic: TopicDeclaration): number | undefined {
    return this.#existing.get(topic.name) ?? topic.partitions
  }

  #upstream(topic: TopicDeclaration): number {
    const group = this.#topology.declarations.groups.find((one) => one.topic === topic)
    if (group === undefined) return 0
    const subs = this.#topology.subTopologies.filter((sub) => writes(sub, group))
    return Math.max(0, ...subs.map((sub) => this.#countOf(sub)))
  }

  #checkEqual(sub: SubTopology, count: number): void {
    for (const source of sub.sources) {
      const own = this.#fixed(source)
      if (own === undefined || own === count) continue
      this.#problems.push({
        path: `topic "${source.name}"`,
        message: `has ${own} partitions; its task needs ${count}, as its other topics have`,
        fix: 'Make the counts equal, or put `groupBy` between them.'
      })
    }
  }

  #checkDeclared(topic: TopicDeclaration): void {
    const exists = this.#existing.get(topic.name)
    if (exists === undefined || topic.partitions === undefined) return
    if (exists === topic.partitions) return
    this.#problems.push({
      path: `topic "${topic.name}"`,
      message: `is declared with ${topic.partitions} partitions and has ${exists}`,
      fix: `Declare \`partitions: ${exists}\`, or make the topic anew.`
    })
  }
}

function writes(sub: SubTopology, group: GroupDeclaration): boolean {
  return sub.processors.some((one) => one.kind === 'group' && one.group === group)
}

/** The id of the task that runs `sub` for one partition. */
export function taskId(subTopology: string, partition: number): string {
  return `${subTopology}/${partition}`
}

/** The internal task whose owner is the leader; it reads nothing. */
export const leaderTask: TaskSpec = {
  id: '~leader/0',
  subTopology: '~leader',
  partition: 0,
  sources: []
}

/** All tasks of a topology, the leader task included. */
export function taskSpecs(topology: Topology, plan: PartitionPlan): readonly TaskSpec[] {
  const tasks = topology.subTopologies.flatMap((sub) =>
    Array.from(
      { length: plan.bySubTopology.get(sub.name) ?? 0 },
      (_, partition): TaskSpec => ({
        id: taskId(sub.name, partition),
        subTopology: sub.name,
        partition,
        sources: sub.sources.map((source) => ({ topic: source.name, partition })),
        changelogs: sub.tables.map((table) => ({
          topic: changelogOf(topology.app, table),
          partition
        }))
      })
    )
  )
  return [...tasks, leaderTask]
}

/** Names what the members of a group must agree on; equal topologies have equal hashes. */
export function topologyHash(tasks: readonly TaskSpec[]): string {
  const text = tasks
    .map((task) => `${task.id}=${task.sources.map((source) => source.topic).join(',')}`)
    .sort()
    .join(';')
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  return hash.toString(16).padStart(16, '0')
}
