// The contract of a group: who owns which task, and since when.

import type { TaskSpec } from '../core/task-spec.ts'

/**
 * Who a member is to a log whose groups check a commit by member and generation (Kafka), and not by
 * the owner of each task. The runtime hands on what the last beat said.
 */
export interface GroupMember {
  /** Given by the log; another than the one that the runtime chose. */
  readonly memberId: string
  readonly generation: number
  /** The name that a static member keeps over restarts. */
  readonly instanceId: string | undefined
}

/** What a member joins its group with. Times in ms. */
export interface JoinRequest {
  readonly group: string
  readonly memberId: string
  /** Names the topology: members with different ones are given only tasks they know. */
  readonly topologyHash: string
  readonly tasks: readonly TaskSpec[]
  readonly sessionTimeoutMs: number
  readonly heartbeatMs: number
  /** Address of the member's web server, if others may reach it; for `not local` answers. */
  readonly url: string | undefined
  /** Of the member's transactions: whoever takes its tasks when it is gone ends them first. */
  readonly transactionalId?: string | undefined
  /** A static member: one that comes back under this name within its session keeps its tasks. */
  readonly instanceId?: string | undefined
  /** How long others may wait for this member when the group moves to its next generation. */
  readonly rebalanceTimeoutMs?: number | undefined
}

/** A task that a member owns. */
export interface OwnedTask {
  readonly task: string
  /** Generation at which it was given; proves ownership in a commit. */
  readonly epoch: number
}

/** A member as others see it. */
export interface MemberView {
  readonly memberId: string
  readonly url: string | undefined
  readonly tasks: readonly string[]
}

/** A group as its members see it. */
export interface GroupView {
  readonly generation: number
  readonly members: readonly MemberView[]
  /** Tasks that nobody owns right now. */
  readonly unowned: readonly string[]
}

/** What a heartbeat learns. */
export interface BeatAnswer {
  /** Everything this member owns now, newly given tasks included. */
  readonly owned: readonly OwnedTask[]
  /** Owned tasks that should go to another member: finish, commit, then `release` them. */
  readonly revoked: readonly string[]
  /** The group had expired this member: everything it owned may be another's already. */
  readonly isLost: boolean
  readonly view: GroupView
  /** For the commits of what is owned. */
  readonly member?: GroupMember | undefined
  /** When the group was asked what it last answered, on the monotonic clock of the process. */
  readonly heardMs?: number
  /** The group wants to move on: it waits until this member calls `rejoin`. */
  readonly isRejoinDue?: boolean
  /** The group has not taken the member in yet: nothing else of this answer is known. */
  readonly isPending?: boolean
}

/**
 * Membership in a group. A task is given to a member only when nobody owns it, so a task that
 * moves is released by its old owner first, or expires with it. Used from the keeper thread.
 *
 * Where a group moves to its next generation only when all of its members join again (Kafka),
 * `join` resolves when the group knows of the member; until it has been taken in, its beats are
 * answered as pending.
 */
export interface Coordinator {
  join(request: JoinRequest): Promise<void>
  /** Says that the member lives, and learns what it should own. After `isLost` it has rejoined. */
  beat(): Promise<BeatAnswer>
  /** Gives tasks up; the next owner may start at once, or where there is a `rejoin`, after it. */
  release(tasks: readonly string[]): Promise<void>
  /**
   * Joins the next generation; resolves when this member knows what it owns in it, or was lost.
   * The others wait for it meanwhile and it for them; beats are answered from what is known.
   * Commits of the generation before may be refused from here on.
   */
  rejoin?(): Promise<void>
  /** Resolves when the group may have changed, or after `waitMaxMs`. */
  changed(waitMaxMs: number): Promise<void>
  /** Leaves the group and gives up everything; a static member stays, to come back. */
  leave(): Promise<void>
  /** Takes a static member out of a group in its absence; false when it is not in it. */
  evict?(group: string, instanceId: string): Promise<boolean>
  close(): Promise<void>
}
