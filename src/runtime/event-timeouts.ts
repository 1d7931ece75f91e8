// Times that agents give their events, beside what their worker gives them.
import { formatDuration } from '../core/duration.ts'
import { refuseAll } from '../core/problems.ts'
import type { Topology } from '../core/topology.ts'
import type { WorkerSettings } from './settings.ts'

/** @throws TAILRACE_CONFIG_INVALID for timeouts that `stallTimeout` would always come before */
export function checkEventTimeouts(
  { app, declarations }: Topology,
  { stallTimeoutMs }: Pick<WorkerSettings, 'stallTimeoutMs'>
): void {
  const problems = declarations.agents.flatMap(({ body, name }) => {
    const timeoutMs = body.kind === 'each' ? (body.timeoutMs ?? 0) : 0
    if (timeoutMs < stallTimeoutMs) return []
    const stall = formatDuration(stallTimeoutMs)
    return [
      {
        path: `agent "${name}"`,
        message:
          `its timeout of ${formatDuration(timeoutMs)} would never come: ` +
          `stallTimeout is ${stall}`,
        fix: 'Make the timeout of the agent shorter, or stallTimeout longer.'
      }
    ]
  })
  refuseAll('TAILRACE_CONFIG_INVALID', `app "${app}"`, problems)
}
