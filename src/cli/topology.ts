// `tailrace topology`: the checked topology as text, data or drawing.
import { planPartitions } from '../core/topology-partitions.ts'
import { topologyMermaid, topologyText, viewTopology } from '../core/topology-render.ts'
import type { CommandContext } from './context.ts'

export function topology(
  { app, isJson, print }: CommandContext,
  { isMermaid }: { readonly isMermaid: boolean }
): void {
  const checked = app.runner.topology()
  // Of what is declared alone: the log is not asked, so this runs anywhere.
  const view = viewTopology(checked, planPartitions(checked, new Map()))
  if (isJson) return print(JSON.stringify(view))
  print(isMermaid ? topologyMermaid(view) : topologyText(view))
}
