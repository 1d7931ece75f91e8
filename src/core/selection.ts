// Which sub-topologies a worker runs: chosen by the names of agents and topics, never split.
//
// A committed offset belongs to a topic partition, and stands for every agent that reads it. To run
// one of two agents of a topic would commit events that the other has not seen, so what is chosen
// or left out is always a whole sub-topology.
import { nearest, type Problem } from './problems.ts'
import { outputTopicsOf, type Processor, type SubTopology, type Topology } from './topology.ts'

/** Names that were given; undefined where nothing was said. */
export interface Selection {
  readonly includeAgents?: readonly string[] | undefined
  readonly excludeAgents?: readonly string[] | undefined
  readonly includeTopics?: readonly string[] | undefined
  readonly excludeTopics?: readonly string[] | undefined
}

export interface Selected {
  /** Names of the sub-topologies to run. */
  readonly subTopologies: ReadonlySet<string>
  /** Topics of the app that are read here and written by what runs elsewhere. */
  readonly fedElsewhere: readonly string[]
  readonly problems: readonly Problem[]
}

type Lists = readonly [include: readonly string[] | undefined, exclude: readonly string[]]

/** Chooses; both kinds of names must agree to run something. */
export function select(topology: Topology, selection: Selection): Selected {
  const { excludeAgents = [], excludeTopics = [], includeAgents, includeTopics } = selection
  const agents: Lists = [includeAgents, excludeAgents]
  const topics: Lists = [includeTopics, excludeTopics]
  const { subTopologies } = topology
  const known = {
    agents: topology.declarations.agents.map(({ name }) => name),
    topics: subTopologies.flatMap(({ sources }) => sources.map(({ name }) => name))
  }
  const problems = [
    ...unknown('agent', [...(includeAgents ?? []), ...excludeAgents], known.agents),
    ...unknown('topic', [...(includeTopics ?? []), ...excludeTopics], known.topics)
  ]
  const chosen: SubTopology[] = []
  for (const sub of subTopologies) {
    const choice = choiceOf(sub, { topology, agents, topics })
    if (choice === 'whole') chosen.push(sub)
    else if (choice !== 'nothing') problems.push(choice)
  }
  if (problems.length === 0 && chosen.length === 0 && subTopologies.length > 0) {
    problems.push({
      path: 'the selection',
      message: `leaves no agent to run; there are ${known.agents.join(', ')}`,
      fix: 'Exclude less, or include what is meant.'
    })
  }
  const subs = new Set(chosen.map(({ name }) => name))
  return { subTopologies: subs, fedElsewhere: fedElsewhere(topology, subs), problems }
}

function unknown(
  kind: 'agent' | 'topic',
  names: readonly string[],
  known: readonly string[]
): Problem[] {
  return [...new Set(names)].flatMap((name) => {
    if (known.includes(name)) return []
    const near = nearest(name, known)
    const fix = near === undefined ? `There are ${known.join(', ')}.` : `Did you mean "${near}"?`
    const what = kind === 'agent' ? 'is no agent of the app' : 'is no topic that an agent reads'
    return [{ path: `${kind} "${name}"`, message: what, fix }]
  })
}

function isActive(name: string, [include, exclude]: Lists): boolean {
  if (include?.includes(name) === true) return true
  return include === undefined && !exclude.includes(name)
}

interface Choosing {
  readonly topology: Topology
  readonly agents: Lists
  readonly topics: Lists
}

function choiceOf(
  sub: SubTopology,
  { agents, topics, topology }: Choosing
): 'whole' | 'nothing' | Problem {
  const readers = sub.processors.filter(({ kind }) => kind === 'agent').map(({ name }) => name)
  // What only regroups has no name that a user would choose it by: it goes with what reads it.
  const named = readers.length > 0 ? readers : readersOf(topology, sub)
  const running = named.filter((name) => isActive(name, agents))
  const read = sub.sources.filter(({ name }) => isActive(name, topics)).map(({ name }) => name)
  if (running.length === 0 || read.length === 0) return 'nothing'
  const isAnyEnough = readers.length === 0
  if (read.length < sub.sources.length) {
    return split('topic', { names: sub.sources.map(({ name }) => name), left: read, sub })
  }
  if (!isAnyEnough && running.length < named.length) {
    return split('agent', { names: named, left: running, sub })
  }
  return 'whole'
}

function split(
  kind: 'agent' | 'topic',
  parts: {
    readonly names: readonly string[]
    readonly left: readonly string[]
    readonly sub: SubTopology
  }
): Problem {
  const out = parts.names.filter((name) => !parts.left.includes(name))
  const shared = [
    ...parts.sub.sources.map(({ name }) => `topic "${name}"`),
    ...parts.sub.tables.map(({ name }) => `table "${name}"`)
  ]
  return {
    path: `${kind} ${parts.left.map((name) => `"${name}"`).join(', ')}`,
    message:
      `cannot run without ${out.map((name) => `"${name}"`).join(', ')}: they work on ` +
      `${shared.join(', ')} together, and commit one offset for all`,
    fix: 'Name all of them, or none.'
  }
}

/** Agents that read what the groups of `sub` write, at whatever remove. */
function readersOf(topology: Topology, sub: SubTopology): string[] {
  const seen = new Set<string>([sub.name])
  const found: string[] = []
  const open = [sub]
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const next of topology.subTopologies) {
      if (seen.has(next.name) || !feeds(one, next)) continue
      seen.add(next.name)
      const agents = next.processors.filter(({ kind }) => kind === 'agent')
      found.push(...agents.map(({ name }) => name))
      if (agents.length === 0) open.push(next)
    }
  }
  return found
}

function feeds(from: SubTopology, to: SubTopology): boolean {
  const isGroup = (one: Processor): boolean => one.kind === 'group'
  const written = from.processors.filter(isGroup).flatMap(outputTopicsOf)
  return to.sources.some((source) => written.includes(source))
}

function fedElsewhere(topology: Topology, chosen: ReadonlySet<string>): string[] {
  const here = topology.subTopologies.filter(({ name }) => chosen.has(name))
  const away = topology.subTopologies.filter(({ name }) => !chosen.has(name))
  const written = new Set(
    away.flatMap(({ processors }) =>
      processors.filter(({ kind }) => kind === 'group').flatMap(outputTopicsOf)
    )
  )
  const read = here.flatMap(({ sources }) => sources.filter((source) => written.has(source)))
  return [...new Set(read.map(({ name }) => name))]
}
