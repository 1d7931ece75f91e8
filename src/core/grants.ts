// When a task may be given: the rule that keeps a partition with one reader and one writer.

import { claimsOf, type TaskSpec } from './task-spec.ts'

/**
 * Of the tasks a member should have, those it can be given now: nobody owns them, nor any task
 * that claims one of their partitions (an old grouping that is still on its way out).
 */
export function grantable(
  wanted: readonly TaskSpec[],
  owned: Iterable<TaskSpec>
): readonly TaskSpec[] {
  const ownedIds = new Set<string>()
  const claimed = new Set<string>()
  for (const task of owned) {
    ownedIds.add(task.id)
    for (const claim of claimsOf(task)) claimed.add(claim)
  }
  return wanted.filter(
    (task) => !ownedIds.has(task.id) && !claimsOf(task).some((claim) => claimed.has(claim))
  )
}
