// What is wrong with a topology, all of it at once, before anything starts.
import { encode, isThenable, type Schema, type Slot, validateNow } from './schema.ts'
import {
  type AgentDeclaration,
  isParallel,
  type TableDeclaration,
  type TopicDeclaration
} from './declarations.ts'
import { messageOf } from './errors.ts'
import { isEqualData } from './freeze.ts'
import { inletsOf } from './pipeline.ts'
import type { Problem } from './problems.ts'
import { changelogOf, type Topology } from './topology.ts'

/** Every problem that can be seen without asking the log. */
export function topologyProblems(topology: Topology): readonly Problem[] {
  const { declarations } = topology
  return [
    ...duplicateProblems(topology),
    ...declarations.agents.flatMap(partProblems),
    ...declarations.agents.flatMap(orderProblems),
    ...declarations.agents.filter(isParallel).flatMap(laneProblems),
    ...writerProblems(topology),
    ...declarations.topics.flatMap(inboxProblems),
    ...coPartitionProblems(topology),
    ...declarations.topics.flatMap((topic) => slotProblems(`topic "${topic.name}"`, topic)),
    ...declarations.tables.flatMap(tableProblems)
  ]
}

function duplicateProblems(topology: Topology): Problem[] {
  const { agents, groups, tables, tasks, timers, topics } = topology.declarations
  const changelogs = tables.map((table) => ({ name: changelogOf(topology.app, table) }))
  return [
    ...duplicatesIn('topic', [...topics, ...changelogs]),
    ...duplicatesIn('table', tables),
    ...duplicatesIn('agent or group', [...agents, ...groups]),
    ...duplicatesIn('timer or task', [...timers, ...tasks])
  ]
}

function duplicatesIn(kind: string, items: readonly { readonly name: string }[]): Problem[] {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const { name } of items) {
    if (name !== '' && seen.has(name)) twice.add(name)
    seen.add(name)
  }
  return [...twice].map((name) => ({
    path: `${kind} "${name}"`,
    message: 'is declared twice',
    fix: 'Declare it once and use the same constant, or give one of them another name.'
  }))
}

function partProblems(agent: AgentDeclaration): Problem[] {
  const owners = new Map<string, string>()
  const problems: Problem[] = []
  for (const kind of ['tables', 'reads', 'outputs'] as const) {
    for (const name of Object.keys(agent[kind])) {
      const other = owners.get(name)
      if (other !== undefined) {
        problems.push({
          path: `agent "${agent.name}"`,
          message: `"${name}" is named both under ${other} and under ${kind}`,
          fix: 'Parts are handed over under these names: give each its own.'
        })
      }
      owners.set(name, kind)
    }
  }
  return problems
}

function orderProblems(agent: AgentDeclaration): Problem[] {
  const { body, reads, tables } = agent
  if (body.kind === 'loop') return []
  const path = `agent "${agent.name}"`
  const problems: Problem[] = []
  if (body.order === 'none' && Object.keys(tables).length > 0) {
    problems.push({
      path,
      message: "writes tables with `order: 'none'`: events of one key would overwrite each other",
      fix: "Leave `order` at 'key'; another agent may do what needs no order."
    })
  }
  if (isParallel(agent) && Object.keys(reads).length > 0) {
    problems.push({
      path,
      message:
        `has \`reads\` with \`concurrency: ${body.concurrency}\`: a table is read as it was ` +
        'before the event, and others before it are still worked on',
      fix: 'Set `concurrency: 1`, or let an agent that reads the table send on what is needed.'
    })
  }
  return problems
}

// Events of one row must come one after the other, and the key as its source has it says which do.
function laneProblems({ name, source, tables }: AgentDeclaration): Problem[] {
  const topics = new Set(inletsOf(source).map(({ topic }) => topic))
  return Object.values(tables).flatMap(({ key, name: table }): Problem[] => {
    const others = [...topics].filter((topic) => topic.key.codec !== key.codec)
    // A text is its own row, however it is written.
    const isText = key.schema !== undefined && jsonTypeOf(key.schema) === 'string'
    if (others.length === 0 || isText) return []
    const list = others.map((topic) => `"${topic.name}" by "${topic.key.codec.name}"`).join(', ')
    return [
      {
        path: `agent "${name}"`,
        message:
          `works on several events at once, and keys of table "${table}" are written by ` +
          `"${key.codec.name}" but those of ${list}: events of one row could overwrite each other`,
        fix: 'Give them one `keyCodec`, the same constant, or set `concurrency: 1`.'
      }
    ]
  })
}

function writerProblems(topology: Topology): Problem[] {
  const { agents, tables } = topology.declarations
  return tables.flatMap((table): Problem[] => {
    const writers = agents.filter((agent) => Object.values(agent.tables).includes(table))
    const names = writers.map((agent) => `"${agent.name}"`)
    const path = `table "${table.name}"`
    if (names.length > 1) {
      const fix = 'A table has one writer: let the others send to it, or read it by `reads`.'
      return [{ path, message: `is written by the agents ${names.join(' and ')}`, fix }]
    }
    const readers = agents.filter((agent) => Object.values(agent.reads).includes(table))
    if (names.length === 0 && readers.length > 0) {
      const message = `is read by agent "${readers[0]?.name ?? ''}" and written by none`
      return [{ path, message, fix: 'Name it under `tables` of the agent that writes it.' }]
    }
    if (writers.some((writer) => readers.includes(writer))) {
      const message = `is named under tables and under reads of agent ${names[0] ?? ''}`
      return [{ path, message, fix: 'Leave it under `tables`: the writer may read it too.' }]
    }
    return []
  })
}

function inboxProblems(topic: TopicDeclaration): Problem[] {
  if (topic.role !== 'inbox' || topic.name !== '') return []
  const fix = 'Use it as the `source` of an agent, which gives it its name.'
  return [{ path: 'inbox', message: 'is read by no agent', fix }]
}

function coPartitionProblems(topology: Topology): Problem[] {
  return topology.subTopologies.flatMap((sub): Problem[] => {
    const known = sub.sources.filter((source) => source.partitions !== undefined)
    const counts = new Set(known.map((source) => source.partitions))
    if (counts.size < 2) return []
    const list = known.map((source) => `"${source.name}" has ${source.partitions}`).join(', ')
    const agents = sub.processors.map((processor) => `"${processor.name}"`).join(', ')
    return [
      {
        path: `agents ${agents}`,
        message: `share tasks, so their topics need equal partition counts: ${list}`,
        fix: 'Declare equal counts, or put `groupBy` between them.'
      }
    ]
  })
}

function slotProblems(
  path: string,
  sides: { readonly key: Slot; readonly value: Slot }
): Problem[] {
  return (['key', 'value'] as const).flatMap((side): Problem[] => {
    const { codec, schema } = sides[side]
    if (schema === undefined || codec.name !== 'string') return []
    const type = jsonTypeOf(schema)
    if (type === undefined || type === 'string') return []
    return [
      {
        path,
        message: `the ${side} schema takes ${type}, and the codec "string" writes only text`,
        fix: `Name a codec for the ${side}, such as json.`
      }
    ]
  })
}

// Schemas that describe themselves as JSON Schema (Standard JSON Schema) let us look inside.
function jsonTypeOf(schema: Schema): string | undefined {
  const standard: object = schema['~standard']
  if (!('jsonSchema' in standard)) return undefined
  const describer = standard.jsonSchema
  if (typeof describer !== 'object' || describer === null || !('input' in describer))
    return undefined
  const { input } = describer
  if (typeof input !== 'function') return undefined
  try {
    const described: unknown = input.call(describer, { target: 'draft-2020-12' })
    if (typeof described !== 'object' || described === null || !('type' in described)) return
    return typeof described.type === 'string' ? described.type : undefined
  } catch {
    // Not every schema can be described so; then it is checked by its first value.
    return undefined
  }
}

function tableProblems(table: TableDeclaration): Problem[] {
  const path = `table "${table.name}"`
  const problems = slotProblems(path, table)
  if (table.initial === undefined) return problems
  const problem = unwritable(table.value, table.initial)
  return problem === undefined ? problems : [...problems, { path, ...problem }]
}

function unwritable(slot: Slot, initial: () => unknown): Omit<Problem, 'path'> | undefined {
  try {
    const value = initial()
    if (isThenable(value)) return { message: '`initial` returns a promise; it must be at hand' }
    if (value === null || value === undefined) return undefined
    const bytes = encode(slot, value, 'the initial value')
    const again = bytes === null ? null : validateNow(slot, slot.codec.decode(bytes), 'it')
    if (isEqualData(value, again)) return undefined
    return {
      message: 'the initial value does not read back equal after it was written',
      fix: 'Let the schema accept its own output, or use a codec that can write it.'
    }
  } catch (error) {
    return { message: `the initial value cannot be kept: ${messageOf(error)}` }
  }
}
