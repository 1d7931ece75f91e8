// Partitions that are fixed to the nodes of a swarm, by agent or topic: who may have which task.
import { nearest, type Problem } from './problems.ts'
import { taskId } from './topology-partitions.ts'
import type { SubTopology, Topology } from './topology.ts'

/** By agent or source topic, by node. */
export type FixedPartitions = Readonly<Record<string, Readonly<Record<number, readonly number[]>>>>

/** Tasks that only the named node may have; all others may be anybody's. */
export function fixedTasks(
  topology: Topology,
  fixed: FixedPartitions
): ReadonlyMap<string, number> {
  const tasks = new Map<string, number>()
  for (const [name, byNode] of Object.entries(fixed)) {
    const sub = meantBy(topology, name)
    if (sub === undefined) continue
    for (const [node, partitions] of Object.entries(byNode)) {
      for (const partition of partitions) tasks.set(taskId(sub.name, partition), Number(node))
    }
  }
  return tasks
}

export interface FixedParts {
  readonly topology: Topology
  readonly fixed: FixedPartitions
  /** Names of the sub-topologies that run at all. */
  readonly selected: ReadonlySet<string>
  readonly nodes: number
  readonly partitionsOf: (subTopology: string) => number
}

/** Nodes that are not there or have nothing to do, partitions of nobody or of two. */
export function fixedProblems(parts: FixedParts): Problem[] {
  const { fixed, nodes, selected, topology } = parts
  const problems: Problem[] = []
  const nameOf = new Map<SubTopology, string>()
  for (const [name, byNode] of Object.entries(fixed)) {
    const path = `swarm.assign.${name}`
    const sub = meantBy(topology, name)
    if (sub === undefined) {
      const known = topology.subTopologies.flatMap(namesOf)
      const near = nearest(name, known)
      const guess = near === undefined ? `there are ${known.join(', ')}` : `did you mean "${near}"?`
      problems.push({ path, message: `is no agent and no topic that one reads; ${guess}` })
      continue
    }
    const other = nameOf.get(sub)
    if (other !== undefined) {
      const message = `and "${other}" name the same tasks`
      problems.push({ path, message, fix: 'Leave one of them out.' })
      continue
    }
    nameOf.set(sub, name)
    const partitions = parts.partitionsOf(sub.name)
    problems.push(...problemsOf({ path, byNode, partitions, nodes }))
  }
  const isAllFixed = [...selected].every((name) =>
    [...nameOf.keys()].some((sub) => sub.name === name)
  )
  if (problems.length === 0 && isAllFixed) problems.push(...idleProblems(parts))
  return problems
}

function problemsOf(parts: {
  readonly path: string
  readonly byNode: Readonly<Record<number, readonly number[]>>
  readonly partitions: number
  readonly nodes: number
}): Problem[] {
  const { byNode, nodes, partitions, path } = parts
  const away = Object.keys(byNode).filter((node) => Number(node) >= nodes)
  const given = Object.values(byNode).flat()
  const beyond = [...new Set(given.filter((one) => one >= partitions))]
  const doubled = [...new Set(given.filter((one, index) => given.indexOf(one) !== index))]
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  const missing = all.filter((one) => !given.includes(one))
  const last = nodes - 1
  const rows: readonly (readonly [numbers: readonly unknown[], text: (list: string) => string])[] =
    [
      [away, (list) => `names node ${list}; the swarm has nodes 0 to ${last}`],
      [beyond, (list) => `names partition ${list}; there are ${partitions}, from 0`],
      [doubled, (list) => `gives partition ${list} to more than one node`],
      [missing, (list) => `gives partition ${list} to no node: nobody would read it`]
    ]
  return rows.flatMap(([numbers, text]) =>
    numbers.length === 0 ? [] : [{ path, message: text(numbers.join(', ')) }]
  )
}

function idleProblems({ fixed, nodes, selected, topology }: FixedParts): Problem[] {
  const busy = new Set<number>()
  for (const [name, byNode] of Object.entries(fixed)) {
    const sub = meantBy(topology, name)
    if (sub === undefined || !selected.has(sub.name)) continue
    for (const [node, partitions] of Object.entries(byNode)) {
      if (partitions.length > 0) busy.add(Number(node))
    }
  }
  const idle = Array.from({ length: nodes }, (_, node) => node).filter((node) => !busy.has(node))
  if (idle.length === 0) return []
  const message = `leaves node ${idle.join(', ')} with nothing to do`
  return [{ path: 'swarm.assign', message, fix: 'Give it partitions, or run fewer nodes.' }]
}

function meantBy({ subTopologies }: Topology, name: string): SubTopology | undefined {
  return subTopologies.find((sub) => namesOf(sub).includes(name))
}

function namesOf(sub: SubTopology): string[] {
  const agents = sub.processors.filter(({ kind }) => kind === 'agent').map((one) => one.name)
  return [...agents, ...sub.sources.map((source) => source.name)]
}
