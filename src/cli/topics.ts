// `tailrace topics`: the topics of the app as they are, and what a start would make or find odd.
import type { TopicDescription, TopicSpec } from '../port/transport.ts'
import { differencesOf, type TopicDifference } from '../runtime/topic-plan.ts'
import { columns } from './columns.ts'
import type { CommandContext } from './context.ts'

interface TopicRow {
  readonly name: string
  readonly state: 'missing' | 'differs' | 'as planned'
  readonly partitions: number
  /** -1 where the log chooses. */
  readonly replication: number
  readonly cleanupPolicy: string
  readonly differences: readonly TopicDifference[]
}

export async function topics(
  { app, isJson, print }: CommandContext,
  { isPlan }: { readonly isPlan: boolean }
): Promise<void> {
  const { existing, problems, specs } = await app.runner.topicsPlan()
  const rows = specs
    .map((spec) => rowOf(spec, existing.get(spec.name)))
    .filter(({ state }) => !isPlan || state !== 'as planned')
  if (isJson) return print(JSON.stringify({ topics: rows, problems }))
  if (rows.length === 0) print('nothing would be created, and nothing differs')
  else
    print(columns([['topic', 'state', 'partitions', 'replication', 'cleanup'], ...rows.map(cells)]))
  for (const { path, message } of problems) print(`a worker would not start: ${path} ${message}`)
}

function rowOf(spec: TopicSpec, exists: TopicDescription | undefined): TopicRow {
  const { name, partitions, replication, settings } = exists ?? spec
  const differences = exists === undefined ? [] : differencesOf(spec, exists)
  const isThere = differences.length > 0 ? 'differs' : 'as planned'
  const state = exists === undefined ? 'missing' : isThere
  const { cleanupPolicy } = settings
  return { name, state, partitions, replication, cleanupPolicy, differences }
}

function cells(row: TopicRow): readonly string[] {
  const { cleanupPolicy, differences, name, partitions, replication, state } = row
  const odd = differences.map(({ setting, has, wanted }) => `${setting} ${has}, not ${wanted}`)
  const said = odd.length === 0 ? state : `${state}: ${odd.join('; ')}`
  const what = state === 'missing' ? 'would be created' : said
  return [name, what, String(partitions), replicationText(replication), cleanupPolicy]
}

function replicationText(replication: number): string {
  return replication > 0 ? String(replication) : 'as the broker has it'
}
