// The topology as a value: which agents share a task, through which topics and tables they connect.
import {
  type AgentDeclaration,
  type Declarations,
  type GroupDeclaration,
  isParallel,
  type StreamDeclaration,
  type TableDeclaration,
  type TopicDeclaration
} from './declarations.ts'
import { type Inlet, inletsOf } from './pipeline.ts'

/** Something that runs in a task: an agent, or the writing side of a `groupBy`. */
export type Processor = AgentProcessor | GroupProcessor

export interface AgentProcessor {
  readonly kind: 'agent'
  readonly name: string
  readonly inlets: readonly Inlet[]
  readonly agent: AgentDeclaration
}

export interface GroupProcessor {
  readonly kind: 'group'
  readonly name: string
  readonly inlets: readonly Inlet[]
  readonly group: GroupDeclaration
}

/** Agents that must see a partition together: they share a source topic or a table. */
export interface SubTopology {
  /** Its sorted topics and tables: stable while those are, whatever else is declared. */
  readonly name: string
  readonly sources: readonly TopicDeclaration[]
  readonly tables: readonly TableDeclaration[]
  readonly processors: readonly Processor[]
}

/** An app as a value: what `tailrace topology` draws and a worker runs. */
export interface Topology {
  /** The app's id. */
  readonly app: string
  /** By name. A task is one of these and one partition of its sources. */
  readonly subTopologies: readonly SubTopology[]
  readonly declarations: Declarations
}

/** The topic that keeps the writes of a table. */
export function changelogOf(app: string, table: TableDeclaration): string {
  return `${app}-${table.name}-changelog`
}

/** Who gets the events of a source, in the order in which they get them. */
export function readersOf(
  sub: SubTopology,
  topic: TopicDeclaration
): readonly { readonly processor: Processor; readonly inlet: Inlet }[] {
  return sub.processors.flatMap((processor) =>
    processor.inlets.filter((inlet) => inlet.topic === topic).map((inlet) => ({ processor, inlet }))
  )
}

/** Events of a task that may be worked on at once. */
export function placesOf(sub: SubTopology): number {
  if (!sub.processors.some((one) => one.kind === 'agent' && isParallel(one.agent))) return 1
  return sub.processors.reduce((sum, processor) => sum + limitOf(processor), 0)
}

/** Events that a processor takes at once. */
export function limitOf(processor: Processor): number {
  if (processor.kind === 'group' || processor.agent.body.kind === 'loop') return 1
  return processor.agent.body.concurrency
}

/** Topics that a processor sends to as part of an event's effect. */
export function outputTopicsOf(processor: Processor): readonly TopicDeclaration[] {
  if (processor.kind === 'group') return [processor.group.topic]
  const { outputs, sinks } = processor.agent
  const sinkTopics = sinks.flatMap((sink) => (sink.kind === 'topic' ? [sink.topic] : []))
  return [...new Set([...Object.values(outputs), ...sinkTopics])]
}

/** Cuts the declared agents into sub-topologies. */
export function buildTopology(declarations: Declarations): Topology {
  const processors = processorsOf(declarations)
  const links = new Links()
  for (const processor of processors) {
    const names = [
      ...processor.inlets.map((inlet) => topicNode(inlet.topic)),
      ...tablesOf(processor).map(tableNode)
    ]
    for (const name of names) links.join(names[0] ?? name, name)
  }
  const bySet = new Map<string, Processor[]>()
  for (const processor of processors) {
    const first = processor.inlets[0]
    if (first === undefined) continue
    const root = links.rootOf(topicNode(first.topic))
    bySet.set(root, [...(bySet.get(root) ?? []), processor])
  }
  const subTopologies = [...bySet.values()].map(subTopologyOf)
  subTopologies.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { app: declarations.id, subTopologies, declarations }
}

function subTopologyOf(processors: readonly Processor[]): SubTopology {
  const topics = processors.flatMap((one) => one.inlets.map((inlet) => inlet.topic))
  const sources = byName(topics)
  const tables = byName(processors.flatMap(tablesOf))
  const name = [...sources, ...tables].map((part) => part.name).join('+')
  return { name, sources, tables, processors }
}

function byName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...new Set(items)].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function tablesOf(processor: Processor): readonly TableDeclaration[] {
  if (processor.kind === 'group') return []
  return [...Object.values(processor.agent.tables), ...Object.values(processor.agent.reads)]
}

// Groups come before the agents that read them, in the order in which agents were declared.
function processorsOf(declarations: Declarations): Processor[] {
  const groups = new Set<GroupDeclaration>()
  for (const agent of declarations.agents) collectGroups(agent.source, groups)
  return [
    ...[...groups].map(
      (group): Processor => ({
        kind: 'group',
        name: group.name,
        inlets: inletsOf(group.from),
        group
      })
    ),
    ...declarations.agents.map(
      (agent): Processor => ({
        kind: 'agent',
        name: agent.name,
        inlets: inletsOf(agent.source),
        agent
      })
    )
  ]
}

function collectGroups(stream: StreamDeclaration, found: Set<GroupDeclaration>): void {
  if (stream.kind === 'source') return
  if (stream.kind === 'merge') {
    for (const from of stream.from) collectGroups(from, found)
    return
  }
  collectGroups(stream.from, found)
  if (stream.kind === 'group') found.add(stream)
}

const topicNode = (topic: TopicDeclaration): string => `topic ${topic.name}`
const tableNode = (table: TableDeclaration): string => `table ${table.name}`

// Union-find over names of topics and tables.
class Links {
  readonly #parent = new Map<string, string>()

  rootOf(name: string): string {
    let at = name
    for (;;) {
      const parent = this.#parent.get(at) ?? at
      if (parent === at) return at
      at = parent
    }
  }

  join(a: string, b: string): void {
    const rootA = this.rootOf(a)
    const rootB = this.rootOf(b)
    this.#parent.set(rootA, rootA)
    this.#parent.set(rootB, rootA)
  }
}
