// When a task may be given: the rule that keeps a source partition with one reader.

import type { TaskSpec } from './task-spec.ts'

/**
 * Of the tasks a member should have, those it can be given now: nobody owns them, nor any task
 * that reads one of their source partitions (an old grouping that is still on its way out).
 */
export function grantable(
  wanted: readonly TaskSpec[],
  owned: Iterable<TaskSpec>
): readonly TaskSpec[] {
  const ownedIds = new Set<string>()
  const ownedSources = new Set<string>()
  for (const { id, sources } of owned) {
    ownedIds.add(id)
    for (const { topic, partition } of sources) ownedSources.add(`${topic}/${partition}`)
  }
  return wanted.filter(
    ({ id, sources }) =>
      !ownedIds.has(id) &&
      !sources.some(({ topic, partition }) => ownedSources.has(`${topic}/${partition}`))
  )
}
