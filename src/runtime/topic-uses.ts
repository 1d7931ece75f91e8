// What the app does with each of its topics, hence which rights it needs there.
import { changelogOf, outputTopicsOf, type Topology } from '../core/topology.ts'
import type { TopicRight } from '../port/transport.ts'

export interface TopicUse {
  /** Internal ones are the app's own to make and to keep as they must be. */
  readonly kind: 'changelog' | 'declared' | 'repartition'
  readonly rights: ReadonlySet<TopicRight>
}

/** By name of the topic; declared ones that no agent uses need no rights. */
export function topicUses({ app, declarations, subTopologies }: Topology): Map<string, TopicUse> {
  const { deadLetter } = declarations
  const rights = new Map<string, Set<TopicRight>>()
  const need = (topic: string, ...more: TopicRight[]): void => {
    const known = rights.get(topic) ?? new Set()
    for (const right of more) known.add(right)
    rights.set(topic, known)
  }
  for (const topic of declarations.topics) need(topic.name)
  if (deadLetter !== undefined) need(deadLetter, 'write')
  for (const { processors, sources } of subTopologies) {
    for (const source of sources) need(source.name, 'read')
    for (const output of processors.flatMap(outputTopicsOf)) need(output.name, 'write')
  }
  const kinds = new Map<string, TopicUse['kind']>()
  for (const { topic } of declarations.groups) {
    kinds.set(topic.name, 'repartition')
    // What was read is deleted.
    need(topic.name, 'delete')
  }
  for (const table of declarations.tables) {
    const name = changelogOf(app, table)
    kinds.set(name, 'changelog')
    need(name, 'read', 'write')
  }
  return new Map(
    [...rights].map(([name, needed]) => [
      name,
      { kind: kinds.get(name) ?? 'declared', rights: needed }
    ])
  )
}
