// `tailrace agents`: what the app's agents read, write and send to.
import { viewTopology } from '../core/topology-render.ts'
import { columns } from './columns.ts'
import type { CommandContext } from './context.ts'

export function agents({ app, isJson, print }: CommandContext): void {
  const view = viewTopology(app.runner.topology())
  const found = view.subTopologies
    .flatMap((sub) => sub.processors)
    .filter((one) => one.kind === 'agent')
  if (isJson) return print(JSON.stringify(found))
  if (found.length === 0) return print(`app "${view.app}" declares no agent`)
  const rows = found.map((one) => [
    `@${one.name}`,
    one.inlets.map((inlet) => inlet.topic).join(', '),
    [...one.tables, ...one.reads.map((name) => `${name} (reads)`)].join(', ') || '-',
    one.outputs.join(', ') || '-',
    one.help ?? ''
  ])
  print(columns([['agent', 'reads', 'tables', 'sends to', ''], ...rows]))
}
