// The part of a group that commits depend on: generation, owners, and who should own what.

import type { AssignorMember } from '../../core/assignor.ts'
import { assign } from '../../core/assignor.ts'
import { grantable } from '../../core/grants.ts'
import type { TaskSpec } from '../../core/task-spec.ts'
import type { OwnedTask } from '../../port/coordinator.ts'
import type { Database } from './database.ts'
import { integer, text } from './database.ts'
import type { Joined } from './members.ts'

export interface Owner {
  readonly member: string
  /** Generation at which it was given. */
  readonly epoch: number
}

export interface GroupState {
  /** Moves with every change of owners or members: equal generations are equal states. */
  readonly generation: number
  /** The members the target was made for. */
  readonly members: string
  /** Task to member: who should own it. */
  readonly target: ReadonlyMap<string, string>
  readonly owners: ReadonlyMap<string, Owner>
}

/** A member that lives, and what it joined with. */
export interface LiveMember extends Joined {
  readonly id: string
  readonly incarnation: string
}

const noGroup: GroupState = { generation: 0, members: '', target: new Map(), owners: new Map() }

export function readGeneration(database: Database, group: string): number {
  const row = database.get('SELECT generation FROM "group" WHERE id = ?', group)
  return row === undefined ? 0 : integer(row, 'generation')
}

export function readGroup(database: Database, group: string): GroupState {
  const select = 'SELECT generation, members, target FROM "group" WHERE id = ?'
  const row = database.get(select, group)
  if (row === undefined) return noGroup
  const target: Readonly<Record<string, string>> = JSON.parse(text(row, 'target'))
  const owners = database.all('SELECT task, member, epoch FROM owner WHERE "group" = ?', group)
  return {
    generation: integer(row, 'generation'),
    members: text(row, 'members'),
    target: new Map(Object.entries(target)),
    owners: new Map(
      owners.map((owner) => [
        text(owner, 'task'),
        { member: text(owner, 'member'), epoch: integer(owner, 'epoch') }
      ])
    )
  }
}

/** Says which members there are: the target is made anew when this changes. */
export function membersText(members: readonly { id: string; incarnation: string }[]): string {
  return members.map(({ id, incarnation }) => `${id}=${incarnation}`).join(' ')
}

/** True when a round would change something: asked at each beat, without the lock. */
export function isRoundDue(state: GroupState, members: readonly LiveMember[]): boolean {
  if (state.members !== membersText(members)) return true
  const living = new Set(members.map(({ id }) => id))
  for (const { member } of state.owners.values()) if (!living.has(member)) return true
  return grantsOf(state, members).length > 0
}

/**
 * One round, under the lock of the log: takes tasks from members that are gone, makes a target
 * when the members changed, and gives to each what nobody owns.
 */
export function runRound(
  database: Database,
  group: string,
  members: readonly LiveMember[],
  released: readonly { readonly member: string; readonly task: string }[] = []
): GroupState {
  const before = readGroup(database, group)
  const owners = new Map(before.owners)
  const living = new Set(members.map(({ id }) => id))
  for (const { member, task } of released) {
    if (owners.get(task)?.member === member) owners.delete(task)
  }
  for (const [task, { member }] of owners) if (!living.has(member)) owners.delete(task)
  const generation = before.generation + 1
  const current = membersText(members)
  // Tasks a member gave up by starting anew still count as its own: they had better come back.
  const target =
    before.members === current ? before.target : targetOf(members, before.owners, living)
  const state: GroupState = { generation, members: current, target, owners }
  for (const { task, member } of grantsOf(state, members)) {
    owners.set(task, { member, epoch: generation })
  }
  write(database, group, { before, state })
  return state
}

/** What belongs to a member, in the order of its tasks' names. */
export function ownedBy(state: GroupState, member: string): readonly OwnedTask[] {
  const owned: OwnedTask[] = []
  for (const [task, owner] of state.owners) {
    if (owner.member === member) owned.push({ task, epoch: owner.epoch })
  }
  return owned
}

function targetOf(
  members: readonly LiveMember[],
  owners: ReadonlyMap<string, Owner>,
  living: ReadonlySet<string>
): ReadonlyMap<string, string> {
  const owned = new Map<string, string[]>()
  for (const [task, { member }] of owners) {
    if (!living.has(member)) continue
    const list = owned.get(member) ?? []
    if (list.length === 0) owned.set(member, list)
    list.push(task)
  }
  const candidates = members.map(
    ({ id, topologyHash, tasks }): AssignorMember => ({
      id,
      topologyHash,
      knownTasks: new Set(tasks.map((task) => task.id)),
      owned: owned.get(id) ?? []
    })
  )
  const target = new Map<string, string>()
  for (const [member, { active }] of assign(candidates, [...tasksOf(members).values()])) {
    for (const task of active) target.set(task, member)
  }
  return target
}

/** Tasks to give now: unowned, meant for a member that lives, and no rival has their partitions. */
function grantsOf(
  { target, owners }: GroupState,
  members: readonly LiveMember[]
): readonly { readonly task: string; readonly member: string }[] {
  const unowned = [...target].filter(([task]) => !owners.has(task))
  if (unowned.length === 0) return []
  const living = new Set(members.map(({ id }) => id))
  const specs = tasksOf(members)
  const wanted = unowned.flatMap(([task, member]) =>
    living.has(member) ? (specs.get(task) ?? []) : []
  )
  const owned = [...owners.keys()].flatMap((task) => specs.get(task) ?? [])
  return grantable(wanted, owned).flatMap(({ id }) => {
    const member = target.get(id)
    return member === undefined ? [] : [{ task: id, member }]
  })
}

function tasksOf(members: readonly LiveMember[]): ReadonlyMap<string, TaskSpec> {
  return new Map(members.flatMap(({ tasks }) => tasks.map((task) => [task.id, task] as const)))
}

function write(
  database: Database,
  group: string,
  { before, state }: { readonly before: GroupState; readonly state: GroupState }
): void {
  database.run(
    `INSERT INTO "group" VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       generation = excluded.generation, members = excluded.members, target = excluded.target`,
    group,
    state.generation,
    state.members,
    JSON.stringify(Object.fromEntries(state.target))
  )
  for (const task of before.owners.keys()) {
    if (state.owners.has(task)) continue
    database.run('DELETE FROM owner WHERE "group" = ? AND task = ?', group, task)
  }
  for (const [task, { member, epoch }] of state.owners) {
    const known = before.owners.get(task)
    if (known?.member === member && known.epoch === epoch) continue
    database.run(
      `INSERT INTO owner VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         member = excluded.member, epoch = excluded.epoch`,
      group,
      task,
      member,
      epoch
    )
  }
}
