// Which tasks a worker may be given: by what was selected, and by what is fixed to its node.
import { fixedTasks } from '../core/fixed-tasks.ts'
import { refuseAll } from '../core/problems.ts'
import { select, type Selected } from '../core/selection.ts'
import type { TaskSpec } from '../core/task-spec.ts'
import { leaderTask } from '../core/topology-partitions.ts'
import type { Topology } from '../core/topology.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import type { ResolvedOptions } from './options.ts'

/**
 * The part of the app that was asked for.
 *
 * @throws TAILRACE_CONFIG_INVALID for names that are none, and for what cannot be run apart
 */
export function selectionOf(topology: Topology, { selection }: ResolvedOptions): Selected {
  const selected = select(topology, selection)
  refuseAll('TAILRACE_CONFIG_INVALID', 'the selection', selected.problems)
  return selected
}

/** Timers, tasks and the leader's work are no part of a selection: they run wherever it falls. */
export function mayHaveOf(parts: {
  readonly topology: Topology
  readonly selected: Selected
  readonly options: ResolvedOptions
  readonly node: NodePlace | undefined
}): (task: TaskSpec) => boolean {
  const { node, options, selected, topology } = parts
  const isFixed = node !== undefined && options.swarm.assign !== undefined
  const fixed = isFixed ? fixedTasks(topology, options.swarm.assign ?? {}) : undefined
  return ({ id, subTopology }) => {
    if (id === leaderTask.id) return true
    if (!selected.subTopologies.has(subTopology)) return false
    const owner = fixed?.get(id)
    return owner === undefined || owner === node?.id
  }
}
