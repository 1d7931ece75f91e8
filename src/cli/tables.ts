// `tailrace tables`: the app's tables, their windows and who writes them.
import { viewTopology } from '../core/topology-render.ts'
import { columns } from './columns.ts'
import type { CommandContext } from './context.ts'

export function tables({ app, isJson, print }: CommandContext): void {
  const view = viewTopology(app.runner.topology())
  const found = view.subTopologies.flatMap((sub) =>
    sub.tables.map((table) => ({
      ...table,
      writer: sub.processors.find((one) => one.tables.includes(table.name))?.name,
      readers: sub.processors.filter((one) => one.reads.includes(table.name)).map((one) => one.name)
    }))
  )
  if (isJson) return print(JSON.stringify(found))
  if (found.length === 0) return print(`app "${view.app}" has no table that an agent uses`)
  const rows = found.map((one) => [
    one.name,
    one.window ?? '-',
    one.writer === undefined ? '-' : `@${one.writer}`,
    one.changelog
  ])
  print(columns([['table', 'window', 'written by', 'changelog'], ...rows]))
}
