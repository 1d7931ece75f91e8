// The topology for people and programs: as text, as data, and as a Mermaid drawing.
import type { TableDeclaration, TopicDeclaration } from './declarations.ts'
import { formatDuration } from './duration.ts'
import type { Inlet } from './pipeline.ts'
import type { PartitionPlan } from './topology-partitions.ts'
import { changelogOf, outputTopicsOf, type SubTopology, type Topology } from './topology.ts'
import type { Window } from './window.ts'

export interface TopologyView {
  readonly app: string
  readonly deadLetter: string | undefined
  readonly topics: readonly TopicView[]
  readonly subTopologies: readonly SubTopologyView[]
  readonly timers: readonly BackgroundView[]
  readonly tasks: readonly BackgroundView[]
}

export interface TopicView {
  readonly name: string
  readonly role: TopicDeclaration['role']
  /** Undefined while nobody has decided. */
  readonly partitions: number | undefined
}

export interface SubTopologyView {
  readonly name: string
  readonly partitions: number | undefined
  readonly sources: readonly string[]
  readonly processors: readonly ProcessorView[]
  readonly tables: readonly TableView[]
}

export interface ProcessorView {
  readonly kind: 'agent' | 'group'
  readonly name: string
  readonly help: string | undefined
  readonly inlets: readonly InletView[]
  readonly tables: readonly string[]
  readonly reads: readonly string[]
  /** Topics it sends to as part of an event: outputs, sinks, a repartition topic. */
  readonly outputs: readonly string[]
}

export interface InletView {
  readonly topic: string
  /** What happens on the way: `map`, `filter`, `tap`. */
  readonly steps: readonly string[]
}

export interface TableView {
  readonly name: string
  readonly window: string | undefined
  readonly changelog: string
}

export interface BackgroundView {
  readonly name: string
  readonly every: string | undefined
  readonly onLeader: boolean
}

/** The topology as plain data; with a plan, partition counts are filled in. */
export function viewTopology(topology: Topology, plan?: PartitionPlan): TopologyView {
  const { deadLetter, tasks, timers, topics } = topology.declarations
  return {
    app: topology.app,
    deadLetter,
    topics: topics.map((topic) => ({
      name: topic.name,
      role: topic.role,
      partitions: plan?.byTopic.get(topic.name) ?? topic.partitions
    })),
    subTopologies: inFlowOrder(topology.subTopologies.map((sub) => viewSub(topology, sub, plan))),
    timers: timers.map(({ everyMs, name, onLeader }) => ({
      name,
      every: formatDuration(everyMs),
      onLeader
    })),
    tasks: tasks.map(({ name, onLeader }) => ({ name, every: undefined, onLeader }))
  }
}

function viewSub(topology: Topology, sub: SubTopology, plan?: PartitionPlan): SubTopologyView {
  return {
    name: sub.name,
    partitions: plan?.bySubTopology.get(sub.name),
    sources: sub.sources.map((source) => source.name),
    processors: sub.processors.map((one) => ({
      kind: one.kind,
      name: one.name,
      help: one.kind === 'agent' ? one.agent.help : undefined,
      inlets: one.inlets.map(viewInlet),
      tables: one.kind === 'agent' ? namesOf(one.agent.tables) : [],
      reads: one.kind === 'agent' ? namesOf(one.agent.reads) : [],
      outputs: outputTopicsOf(one).map((topic) => topic.name)
    })),
    tables: sub.tables.map((table) => ({
      name: table.name,
      window: table.window === undefined ? undefined : windowText(table.window),
      changelog: changelogOf(topology.app, table)
    }))
  }
}

// What sends to another comes before it; in a circle the first by name does.
function inFlowOrder(subs: readonly SubTopologyView[]): SubTopologyView[] {
  const left = [...subs]
  const ordered: SubTopologyView[] = []
  while (left.length > 0) {
    const fed = new Set(left.flatMap((sub) => sub.processors.flatMap((one) => one.outputs)))
    const free = left.findIndex((sub) => !sub.sources.some((source) => fed.has(source)))
    ordered.push(...left.splice(Math.max(0, free), 1))
  }
  return ordered
}

function viewInlet({ steps, topic }: Inlet): InletView {
  return { topic: topic.name, steps: steps.map((step) => step.kind) }
}

function namesOf(tables: Readonly<Record<string, TableDeclaration>>): string[] {
  return Object.values(tables).map((table) => table.name)
}

function windowText({ everyMs, graceMs, kind, retentionMs, sizeMs }: Window): string {
  const every = kind === 'hopping' ? ` every ${formatDuration(everyMs)}` : ''
  const grace = graceMs === 0 ? '' : `, grace ${formatDuration(graceMs)}`
  return `${kind} ${formatDuration(sizeMs)}${every}${grace}, kept ${formatDuration(retentionMs)}`
}

/** The topology in lines, in the order in which events take their way. */
export function topologyText(view: TopologyView): string {
  const lines = [`app ${view.app}`]
  for (const sub of view.subTopologies) {
    lines.push('', `sub-topology ${sub.name}${counted(sub.partitions)}`)
    lines.push(...sub.sources.map((source) => row('source', source)))
    lines.push(...sub.processors.map(processorRow))
    lines.push(...sub.tables.map(tableRow))
  }
  const idle = idleTopics(view).map(({ name, partitions }) =>
    row('topic', name + counted(partitions))
  )
  const background = [
    ...view.timers.map((one) => row('timer', `${one.name}, every ${one.every}${leading(one)}`)),
    ...view.tasks.map((one) => row('task', `${one.name}${leading(one)}`))
  ]
  const dead = view.deadLetter === undefined ? [] : [row('dead letters', view.deadLetter)]
  const rest = [...idle, ...background, ...dead]
  return [...lines, ...(rest.length === 0 ? [] : ['', 'besides', ...rest])].join('\n')
}

function processorRow({ inlets, kind, name, outputs, reads, tables }: ProcessorView): string {
  const parts = [
    `from ${inlets.map(inletText).join(' and ')}`,
    tables.length === 0 ? '' : `writes ${tables.join(', ')}`,
    reads.length === 0 ? '' : `reads ${reads.join(', ')}`,
    outputs.length === 0 ? '' : `to ${outputs.join(', ')}`
  ]
  return row(kind, `${name}: ${parts.filter((part) => part !== '').join('; ')}`)
}

function inletText({ steps, topic }: InletView): string {
  return [topic, ...steps].join(' > ')
}

function tableRow({ changelog, name, window }: TableView): string {
  return row('table', `${name}${window === undefined ? '' : ` (${window})`}, kept in ${changelog}`)
}

/** Topics that no agent reads: only sent to, by agents or by the program. */
function idleTopics(view: TopologyView): readonly TopicView[] {
  const sources = new Set(view.subTopologies.flatMap((sub) => sub.sources))
  return view.topics.filter((topic) => !sources.has(topic.name))
}

function row(kind: string, text: string): string {
  return `  ${kind.padEnd(13)}${text}`
}

function counted(partitions: number | undefined): string {
  if (partitions === undefined) return ''
  return partitions === 1 ? ' (1 partition)' : ` (${partitions} partitions)`
}

function leading({ onLeader }: BackgroundView): string {
  return onLeader ? ', on the leader' : ''
}

/** The topology as a Mermaid flow chart: each box a sub-topology, whose parts share tasks. */
export function topologyMermaid(view: TopologyView): string {
  return new Drawing(view).text()
}

class Drawing {
  readonly #view: TopologyView
  readonly #ids = new Map<string, string>()
  readonly #lines: string[] = ['flowchart LR']
  readonly #edges: string[] = []

  constructor(view: TopologyView) {
    this.#view = view
  }

  text(): string {
    for (const topic of this.#view.topics) {
      this.#lines.push(`  ${this.#id('topic', topic.name)}[/"${label(topic)}"/]`)
    }
    this.#view.subTopologies.forEach((sub, index) => this.#sub(sub, index))
    return [...this.#lines, ...this.#edges].join('\n')
  }

  #sub(sub: SubTopologyView, index: number): void {
    const title = sub.partitions === undefined ? sub.name : `${sub.name} × ${sub.partitions}`
    this.#lines.push(`  subgraph s${index}["${title}"]`)
    for (const one of sub.processors) {
      this.#lines.push(`    ${this.#id(one.kind, one.name)}["${one.name}"]`)
    }
    for (const table of sub.tables) {
      this.#lines.push(`    ${this.#id('table', table.name)}[("${table.name}")]`)
    }
    this.#lines.push('  end')
    for (const one of sub.processors) this.#connect(one)
  }

  #connect(one: ProcessorView): void {
    const id = this.#id(one.kind, one.name)
    for (const { steps, topic } of one.inlets) {
      const by = steps.length === 0 ? '' : `|${steps.join(', ')}|`
      this.#edges.push(`  ${this.#id('topic', topic)} -->${by} ${id}`)
    }
    for (const table of one.tables) this.#edges.push(`  ${id} <--> ${this.#id('table', table)}`)
    for (const table of one.reads) this.#edges.push(`  ${this.#id('table', table)} -.-> ${id}`)
    for (const topic of one.outputs) this.#edges.push(`  ${id} --> ${this.#id('topic', topic)}`)
  }

  // Names may hold what Mermaid would read as its own; ids hold a letter and a number.
  #id(kind: string, name: string): string {
    const key = `${kind} ${name}`
    const id = this.#ids.get(key) ?? `n${this.#ids.size}`
    this.#ids.set(key, id)
    return id
  }
}

function label({ name, partitions }: TopicView): string {
  return partitions === undefined ? name : `${name} × ${partitions}`
}
