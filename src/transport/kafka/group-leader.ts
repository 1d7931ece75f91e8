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

/** Beyond so many, members no longer tell each other the transactional ids of all. */
const peersMax = 48

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
  const common = {
    generation,
    // All of them are new: whoever was here died, or was alone and sleeps.
    isBlind: members.every(({ words }) => words.generation === 0),
    isMoving: isMoving(members, owners, assignment),
    peers: peers.length > peersMax ? [] : peers,
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
      const isTaking = [...owned.values()].includes(generation)
      const wanted = assignment.get(sortId(member))?.active ?? []
      return [member.memberId, { ...common, owned, wanted, fence: isTaking ? gone : [] }]
    })
  )
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
  const newest = Math.max(...members.map(({ words }) => words.generation))
  const known = members.filter(({ words }) => words.generation === newest)
  const present = new Set(transactionalIdsOf(members))
  return [...new Set(known.flatMap(({ words }) => words.peers))].filter((id) => !present.has(id))
}

function transactionalIdsOf(members: readonly JoinedMember[]): string[] {
  return members.flatMap(({ words }) => words.transactionalId ?? [])
}
