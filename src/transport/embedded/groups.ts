// The coordinator: one member's side of a group. Every member runs the rounds, whoever is first.
//
// Heartbeats (groups.db) are only evidence of who lives; owners (log.db) are what commits are
// checked against. A member finds out that it was expired by missing what it owned.

import { invariant, TailraceError } from '../../core/errors.ts'
import type {
  BeatAnswer,
  Coordinator,
  GroupView,
  JoinRequest,
  OwnedTask
} from '../../port/coordinator.ts'
import { isProcessAlive, systemMonotonicMs } from './boot.ts'
import { isDead, Steadiness } from './liveness.ts'
import type { Log } from './log.ts'
import { checkOpen } from './log.ts'
import type { Joined, Member } from './members.ts'
import { Members } from './members.ts'
import type { GroupState, LiveMember } from './owners.ts'
import { isRoundDue, membersText, ownedBy, readGeneration, readGroup, runRound } from './owners.ts'
import { Wakeup } from './wake.ts'

export async function openCoordinator(log: Log): Promise<Coordinator> {
  return new EmbeddedCoordinator(log, await Members.open(log))
}

interface Membership {
  readonly request: JoinRequest
  incarnation: string
  /** What it was told it owns, and did not release: missing any of it means it was expired. */
  held: ReadonlyMap<string, number>
}

class EmbeddedCoordinator implements Coordinator {
  readonly #log: Log
  readonly #members: Members
  readonly #wakeup: Wakeup
  readonly #steadiness = new Steadiness()
  #membership: Membership | undefined
  #state: GroupState | undefined
  #joined: { readonly members: string; readonly byId: ReadonlyMap<string, Joined> } | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isOpen = true

  constructor(log: Log, members: Members) {
    this.#log = log
    this.#members = members
    log.users.add(this)
    this.#wakeup = new Wakeup({
      file: log.paths.groupsNudge,
      clock: log.clock,
      version: () => this.#generation()
    })
  }

  join(request: JoinRequest): Promise<void> {
    return this.#inTurn(async () => {
      const incarnation = await this.#members.enter(request)
      this.#membership = { request, incarnation, held: new Map() }
      this.#steadiness.beat(systemMonotonicMs(), timesOf(request))
      await this.#enterRound(request)
    })
  }

  beat(): Promise<BeatAnswer> {
    return this.#inTurn(() => this.#beat())
  }

  release(tasks: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const membership = this.#joinedOrThrow()
      const { group, memberId } = membership.request
      const released = tasks.map((task) => ({ member: memberId, task }))
      membership.held = new Map([...membership.held].filter(([task]) => !tasks.includes(task)))
      await this.#round(group, released)
    })
  }

  async #beat(): Promise<BeatAnswer> {
    const membership = this.#joinedOrThrow()
    const { request } = membership
    const key = { id: request.memberId, incarnation: membership.incarnation }
    const result = await this.#members.beat(request.group, key)
    if (result === 'replaced') throw replacedError(request)
    this.#steadiness.beat(systemMonotonicMs(), timesOf(request))
    if (result === 'expired') return this.#rejoin(membership)
    const state = await this.#settle(request.group)
    if (isMissingSome(membership, state)) return this.#rejoin(membership)
    return this.#answer(membership, { state, isLost: false })
  }

  async changed(waitMaxMs: number): Promise<void> {
    const known = this.#state?.generation
    const generation = await this.#log.database.attempt(() => this.#generation())
    if (generation === known && this.#isOpen) await this.#wakeup.wait(waitMaxMs)
  }

  leave(): Promise<void> {
    return this.#inTurn(async () => {
      const membership = this.#membership
      if (membership === undefined) return
      this.#membership = undefined
      const { group, memberId } = membership.request
      await this.#members.remove(group, [{ id: memberId, incarnation: membership.incarnation }])
      await this.#round(group)
    })
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#log.users.delete(this)
    this.#wakeup.close()
    await this.#last
    this.#members.close()
  }

  /** One call at a time: a beat that saw the owners before a release would miss it. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      checkOpen(this.#log, this.#isOpen)
      return run()
    })
    this.#last = result.catch(() => {})
    return result
  }

  /** Enters anew after an expiry: whatever it owned may be another's. */
  async #rejoin(membership: Membership): Promise<BeatAnswer> {
    membership.incarnation = await this.#members.enter(membership.request)
    membership.held = new Map()
    const state = await this.#enterRound(membership.request)
    return this.#answer(membership, { state, isLost: true })
  }

  /** A round in which the member begins with nothing: what it owned before has another epoch. */
  async #enterRound({ group, memberId }: JoinRequest): Promise<GroupState> {
    const owned = await this.#log.database.attempt(() =>
      ownedBy(readGroup(this.#log.database, group), memberId)
    )
    return this.#round(
      group,
      owned.map(({ task }) => ({ member: memberId, task }))
    )
  }

  /** The state of the group after whatever was due has been done. */
  async #settle(group: string): Promise<GroupState> {
    const { database } = this.#log
    const state = await database.attempt(() => {
      const generation = readGeneration(database, group)
      return this.#state?.generation === generation ? this.#state : readGroup(database, group)
    })
    this.#state = state
    const { live, dead } = this.#judge(group)
    if (!isRoundDue(state, live)) return state
    const settled = await this.#round(group)
    // After the commit: should this process die in between, the next round finds them again.
    if (dead.length > 0) await this.#members.remove(group, dead)
    return settled
  }

  async #round(
    group: string,
    released: readonly { readonly member: string; readonly task: string }[] = []
  ): Promise<GroupState> {
    const { database } = this.#log
    const state = await database.transaction(() => {
      const { live } = this.#judge(group)
      const hasWork = released.length > 0 || isRoundDue(readGroup(database, group), live)
      return hasWork ? runRound(database, group, live, released) : readGroup(database, group)
    })
    this.#state = state
    this.#wakeup.nudge()
    return state
  }

  /** Who lives, by the heartbeats as they are now. */
  #judge(group: string): {
    readonly live: readonly LiveMember[]
    readonly dead: readonly Member[]
  } {
    const nowMs = systemMonotonicMs()
    const isSteady = this.#steadiness.isSteady(nowMs)
    const judge = { identity: this.#members.identity, nowMs, isSteady, isProcessAlive }
    const all = this.#members.list(group)
    const dead = all.filter((member) => isDead(member, judge))
    const joined = this.#joinedOf(group, all)
    const live = all.flatMap((member): readonly LiveMember[] => {
      const own = joined.get(member.id)
      return own === undefined || dead.includes(member) ? [] : [{ ...own, ...member }]
    })
    return { live, dead }
  }

  #joinedOf(group: string, members: readonly Member[]): ReadonlyMap<string, Joined> {
    const current = membersText(members)
    if (this.#joined?.members !== current) {
      this.#joined = { members: current, byId: this.#members.joined(group) }
    }
    return this.#joined.byId
  }

  #answer(
    membership: Membership,
    { state, isLost }: { readonly state: GroupState; readonly isLost: boolean }
  ): BeatAnswer {
    const { group, memberId } = membership.request
    const owned = ownedBy(state, memberId)
    membership.held = new Map(owned.map(({ task, epoch }) => [task, epoch]))
    const revoked = owned.filter(({ task }) => state.target.get(task) !== memberId)
    return {
      owned,
      revoked: revoked.map(({ task }) => task),
      isLost,
      view: viewOf(state, this.#judge(group).live)
    }
  }

  #generation(): number {
    const group = this.#membership?.request.group
    return group === undefined ? 0 : readGeneration(this.#log.database, group)
  }

  #joinedOrThrow(): Membership {
    invariant(this.#membership !== undefined, 'a coordinator was used before it joined a group')
    return this.#membership
  }
}

function viewOf(state: GroupState, members: readonly LiveMember[]): GroupView {
  const tasks = new Set(members.flatMap((member) => member.tasks.map(({ id }) => id)))
  return {
    generation: state.generation,
    members: members.map(({ id, url }) => ({
      memberId: id,
      url,
      tasks: ownedBy(state, id).map((owned: OwnedTask) => owned.task)
    })),
    unowned: [...tasks].filter((task) => !state.owners.has(task))
  }
}

function isMissingSome({ request, held }: Membership, state: GroupState): boolean {
  for (const [task, epoch] of held) {
    const owner = state.owners.get(task)
    if (owner?.member !== request.memberId || owner.epoch !== epoch) return true
  }
  return false
}

function timesOf({ heartbeatMs, sessionTimeoutMs }: JoinRequest): {
  heartbeatMs: number
  sessionMs: number
} {
  return { heartbeatMs, sessionMs: sessionTimeoutMs }
}

function replacedError({ group, memberId }: JoinRequest): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_FENCED',
    `another process joined group ${JSON.stringify(group)} as member ${JSON.stringify(memberId)}`,
    { isDefinite: true }
  )
}
