// Who works on what: one pure function from members and tasks to an assignment.
//
// Goals in order: every task that somebody knows is assigned once; tasks stay where they are;
// members are balanced within one, over all tasks and then within each sub-topology. The same
// input gives the same answer on every machine, whatever order it comes in.

import { claimsOf, type TaskSpec } from './task-spec.ts'

export interface AssignorMember {
  readonly id: string
  /** Members with different hashes run different topologies: a rolling upgrade is under way. */
  readonly topologyHash: string
  /** Ids of the tasks its topology has; it is given no others. */
  readonly knownTasks: ReadonlySet<string>
  /** Ids of the tasks it owns now, those on their way to another member included. */
  readonly owned: readonly string[]
}

/** What one member should have. Standbys and warm-ups will stand beside `active`. */
export interface MemberAssignment {
  readonly active: readonly string[]
}

/** By member id; every member has an entry. */
export type Assignment = ReadonlyMap<string, MemberAssignment>

/**
 * Assigns tasks to members.
 *
 * While topologies differ, a partition stays with the grouping that has it: of tasks that share a
 * source or a changelog, only one is assigned, and a merged, split or fed otherwise grouping starts
 * when no member knows the old one.
 */
export function assign(members: readonly AssignorMember[], tasks: readonly TaskSpec[]): Assignment {
  const shares = [...members].sort((a, b) => compareText(a.id, b.id)).map((m) => new Share(m))
  const live = withoutRivals(tasks, members)
  for (const task of keepOwned(live, shares)) {
    const share = lightest(shares, task)
    share?.add(task)
  }
  while (moveOne(shares)) continue
  return new Map(shares.map((share) => [share.member.id, { active: share.taskIds() }]))
}

/** True when both read or both write one partition: never may both be owned at once. */
export function areRivals(a: TaskSpec, b: TaskSpec): boolean {
  const claims = claimsOf(b)
  return claimsOf(a).some((claim) => claims.includes(claim))
}

/** The tasks one member holds while the assignment is being made. */
class Share {
  readonly member: AssignorMember
  readonly #tasks = new Map<string, TaskSpec>()
  readonly #countBySubTopology = new Map<string, number>()

  constructor(member: AssignorMember) {
    this.member = member
  }

  get count(): number {
    return this.#tasks.size
  }

  get tasks(): Iterable<TaskSpec> {
    return this.#tasks.values()
  }

  countOf(subTopology: string): number {
    return this.#countBySubTopology.get(subTopology) ?? 0
  }

  add(task: TaskSpec): void {
    this.#tasks.set(task.id, task)
    this.#countBySubTopology.set(task.subTopology, this.countOf(task.subTopology) + 1)
  }

  remove(task: TaskSpec): void {
    this.#tasks.delete(task.id)
    this.#countBySubTopology.set(task.subTopology, this.countOf(task.subTopology) - 1)
  }

  taskIds(): string[] {
    return [...this.#tasks.values()].sort(compareTasks).map((task) => task.id)
  }
}

/** Tasks that may be assigned: known to a member, and of rivals only the first. */
function withoutRivals(
  tasks: readonly TaskSpec[],
  members: readonly AssignorMember[]
): readonly TaskSpec[] {
  const owned = new Set(members.flatMap((member) => member.owned))
  const rank = rankTopologies(members, owned)
  const candidates = new Map<string, { task: TaskSpec; isOwned: boolean; rank: number }>()
  for (const task of tasks) {
    const ranks = members.filter((m) => m.knownTasks.has(task.id)).map((m) => rank(m.topologyHash))
    if (ranks.length === 0 || candidates.has(task.id)) continue
    candidates.set(task.id, { task, isOwned: owned.has(task.id), rank: Math.min(...ranks) })
  }
  const inOrder = [...candidates.values()].sort(
    (a, b) =>
      Number(b.isOwned) - Number(a.isOwned) || a.rank - b.rank || compareTasks(a.task, b.task)
  )
  const taken = new Set<string>()
  const live: TaskSpec[] = []
  for (const { task } of inOrder) {
    const claims = claimsOf(task)
    if (claims.some((claim) => taken.has(claim))) continue
    for (const claim of claims) taken.add(claim)
    live.push(task)
  }
  return live.sort(compareTasks)
}

/** The oldest topology first: the one that knows most of what is owned, then of most members. */
function rankTopologies(
  members: readonly AssignorMember[],
  owned: ReadonlySet<string>
): (hash: string) => number {
  const byHash = new Map<string, { ownedKnown: number; members: number }>()
  for (const member of members) {
    const seen = byHash.get(member.topologyHash)
    if (seen !== undefined) seen.members++
    else {
      const ownedKnown = [...owned].filter((task) => member.knownTasks.has(task)).length
      byHash.set(member.topologyHash, { ownedKnown, members: 1 })
    }
  }
  const inOrder = [...byHash].sort(
    ([hashA, a], [hashB, b]) =>
      b.ownedKnown - a.ownedKnown || b.members - a.members || compareText(hashA, hashB)
  )
  const ranks = new Map(inOrder.map(([hash], index) => [hash, index]))
  return (hash) => ranks.get(hash) ?? ranks.size
}

/** Leaves tasks with their owners; answers those that nobody has. */
function keepOwned(live: readonly TaskSpec[], shares: readonly Share[]): readonly TaskSpec[] {
  const ownerOf = new Map<string, Share>()
  for (const share of shares) {
    for (const task of share.member.owned) {
      if (share.member.knownTasks.has(task) && !ownerOf.has(task)) ownerOf.set(task, share)
    }
  }
  return live.filter((task) => {
    const owner = ownerOf.get(task.id)
    owner?.add(task)
    return owner === undefined
  })
}

/** The member that knows the task and has least: over all, then of its sub-topology. */
function lightest(shares: readonly Share[], task: TaskSpec): Share | undefined {
  let best: Share | undefined
  for (const share of shares) {
    if (!share.member.knownTasks.has(task.id)) continue
    if (best === undefined || compareLoad(share, best, task.subTopology) < 0) best = share
  }
  return best
}

function compareLoad(a: Share, b: Share, subTopology: string): number {
  return a.count - b.count || a.countOf(subTopology) - b.countOf(subTopology)
}

/**
 * Moves one task from the fullest member that can give one to one that has at least two less.
 * Where all know the same, who gives never gets, so no more tasks move than balance asks for.
 */
function moveOne(shares: readonly Share[]): boolean {
  const least = Math.min(...shares.map((share) => share.count))
  for (const giver of [...shares].sort((a, b) => b.count - a.count)) {
    if (giver.count < least + 2) return false
    let best: { task: TaskSpec; taker: Share; gain: number } | undefined
    for (const task of giver.tasks) {
      const taker = lightest(shares, task)
      if (taker === undefined || taker.count > giver.count - 2) continue
      const skew = giver.countOf(task.subTopology) - taker.countOf(task.subTopology)
      const gain = (giver.count - taker.count) * 1_000_000 + skew
      if (best === undefined || gain > best.gain) best = { task, taker, gain }
    }
    if (best === undefined) continue
    giver.remove(best.task)
    best.taker.add(best.task)
    return true
  }
  return false
}

function compareTasks(a: TaskSpec, b: TaskSpec): number {
  return (
    compareText(a.subTopology, b.subTopology) ||
    a.partition - b.partition ||
    compareText(a.id, b.id)
  )
}

/** By code unit: the same on every machine, whatever its locale. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
