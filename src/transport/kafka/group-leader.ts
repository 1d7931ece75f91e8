// The leader's turn: from what every member said, what each is told. Pure; whichever member leads,
// the same words give the same answer.

import { assign, type Assignment } from '../../core/assignor.ts'
import { grantable } from '../../core/grants.ts'
import type { TaskSpec } from '../../core/task-spec.ts'
import type { GivenWords, MemberWords, SeenMember } from './group-words.ts'

/** A member as it takes part in a generation. */
export interface JoinedMember {
  /** As the broker named it. */
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly words: MemberWords
}

/** Ids that one generation tells, to all of its members together: its record has a limit. */
const idsMax = 48 * 48
/** However large the group is: one of them may be the next to go. */
const carriersMin = 2

/** What each member is told, by the id that the broker gave it. */
export function planGeneration(
  generation: number,
  members: readonly JoinedMember[]
): ReadonlyMap<string, GivenWords> {
  const tasks = tasksOf(members)
  const owners = ownersOf(members)
  const assignment = assign(
    members.map((member) => ({
      id: sortId(member),
      topologyHash: member.words.hash,
      knownTasks: new Set(member.words.tasks.map(({ id }) => id)),
      owned: owners.idsOf(member)
    })),
    [...tasks.values()]
  )
  const isGranted = grantAll({ generation, members, tasks, owners, assignment })
  const gone = goneOf(members)
  const kept = isGranted ? [] : gone
  const peers = [...transactionalIdsOf(members), ...kept]
  const takers = members.filter((one) => [...owners.of(one).values()].includes(generation))
  const carriers = carriersOf(peers.length, [...takers, ...members])
  const common = {
    generation,
    // All of them are new, or those that knew are gone.
    isBlind: newestOf(members).every(({ words }) => words.peers.length === 0),
    isMoving: isMoving(members, owners, assignment),
    members: members.map((member): SeenMember => {
      const { id, url } = member.words
      return { id, instanceId: member.instanceId, url, tasks: owners.idsOf(member) }
    }),
    unowned: [...assignment.values()].flatMap(({ active }) =>
      active.filter((id) => !owners.has(id))
    )
  }
  return new Map(
    members.map((member) => {
      const owned = owners.of(member)
      const wanted = assignment.get(sortId(member))?.active ?? []
      const fence = shareOf(gone, takers.indexOf(member), takers.length)
      const own = { owned, wanted, fence, peers: carriers.has(member) ? peers : [] }
      return [member.memberId, { ...common, ...own }]
    })
  )
}

/** Who is told the transactional ids of all: everybody in a small group, some in a large one. */
function carriersOf(ids: number, members: readonly JoinedMember[]): ReadonlySet<JoinedMember> {
  const count = Math.max(carriersMin, Math.floor(idsMax / Math.max(1, ids)))
  return new Set([...new Set(members)].slice(0, count))
}

/** All that is gone for every taker, or a part for each where that would be too much to tell. */
function shareOf(gone: readonly string[], place: number, takers: number): readonly string[] {
  if (place < 0) return []
  if (gone.length * takers <= idsMax) return gone
  return gone.filter((_, index) => index % takers === place)
}

/** A static member is the same after a restart, whatever the broker calls it then. */
function sortId({ instanceId, memberId }: JoinedMember): string {
  return instanceId ?? memberId
}

function tasksOf(members: readonly JoinedMember[]): ReadonlyMap<string, TaskSpec> {
  const tasks = new Map<string, TaskSpec>()
  for (const { words } of inOrder(members)) {
    for (const task of words.tasks) if (!tasks.has(task.id)) tasks.set(task.id, task)
  }
  return tasks
}

function inOrder(members: readonly JoinedMember[]): JoinedMember[] {
  return [...members].sort((a, b) => (sortId(a) < sortId(b) ? -1 : 1))
}

/** Who owns what while a generation is planned. */
class Owners {
  readonly #byTask = new Map<string, { readonly memberId: string; readonly epoch: number }>()

  /** Of two that say they own a task, the one that was given it later is right. */
  claim(task: string, memberId: string, epoch: number): void {
    const other = this.#byTask.get(task)
    if (other === undefined || other.epoch < epoch) this.#byTask.set(task, { memberId, epoch })
  }

  has(task: string): boolean {
    return this.#byTask.has(task)
  }

  isOf(task: string, { memberId }: JoinedMember): boolean {
    return this.#byTask.get(task)?.memberId === memberId
  }

  tasks(): Iterable<string> {
    return this.#byTask.keys()
  }

  of({ memberId }: JoinedMember): ReadonlyMap<string, number> {
    const own = new Map<string, number>()
    for (const [task, row] of this.#byTask) if (row.memberId === memberId) own.set(task, row.epoch)
    return own
  }

  idsOf(member: JoinedMember): string[] {
    return [...this.of(member).keys()]
  }
}

function ownersOf(members: readonly JoinedMember[]): Owners {
  const owners = new Owners()
  for (const { memberId, words } of inOrder(members)) {
    for (const [task, epoch] of words.owned) owners.claim(task, memberId, epoch)
  }
  return owners
}

interface Grants {
  readonly generation: number
  readonly members: readonly JoinedMember[]
  readonly tasks: ReadonlyMap<string, TaskSpec>
  readonly owners: Owners
  readonly assignment: Assignment
}

/** Gives every task that nobody stands in the way of; true when there were any. */
function grantAll({ assignment, generation, members, owners, tasks }: Grants): boolean {
  let isGranted = false
  for (const member of inOrder(members)) {
    const active = assignment.get(sortId(member))?.active ?? []
    const wanted = active.flatMap((id) => tasks.get(id) ?? [])
    const owned = [...owners.tasks()].flatMap((id) => tasks.get(id) ?? [])
    for (const { id } of grantable(wanted, owned)) {
      owners.claim(id, member.memberId, generation)
      isGranted = true
    }
  }
  return isGranted
}

/** True while somebody has what is meant for another, or is in the way of it. */
function isMoving(
  members: readonly JoinedMember[],
  owners: Owners,
  assignment: Assignment
): boolean {
  return members.some((member) => {
    const wanted = assignment.get(sortId(member))?.active ?? []
    return wanted.some((task) => !owners.isOf(task, member))
  })
}

/** Transactional ids of members that are there no more: what they left open must be ended. */
function goneOf(members: readonly JoinedMember[]): readonly string[] {
  const present = new Set(transactionalIdsOf(members))
  const known = newestOf(members).flatMap(({ words }) => words.peers)
  return [...new Set(known)].filter((id) => !present.has(id))
}

/** Those that follow the newest generation. */
function newestOf(members: readonly JoinedMember[]): readonly JoinedMember[] {
  const newest = Math.max(...members.map(({ words }) => words.generation))
  return members.filter(({ words }) => words.generation === newest)
}

function transactionalIdsOf(members: readonly JoinedMember[]): string[] {
  return members.flatMap(({ words }) => words.transactionalId ?? [])
}
