// What this member has of its group, between what the leader said and what the runtime was told.
// Pure: a state that rounds and releases change.

import type { BeatAnswer, GroupMember, GroupView, JoinRequest } from '../../port/coordinator.ts'
import type { GivenWords, MemberWords } from './group-words.ts'

/** Where a member stands in the group of the broker. */
export interface Standing {
  /** Empty until the broker has given one. */
  readonly memberId: string
  readonly generation: number
}

const nowhere: Standing = { memberId: '', generation: 0 }
const emptyView: GroupView = { generation: 0, members: [], unowned: [] }

export class GroupHolding {
  readonly #request: JoinRequest
  #standing: Standing = nowhere
  #words: GivenWords | undefined
  /** Task to the epoch at which it was given; so with those that are not begun yet. */
  #owned = new Map<string, number>()
  /** Given, and held back until who had them before is fenced. */
  #held = new Map<string, number>()
  /** Released, or not to be begun: the group does not know of it yet. */
  #hasNews = false
  /** The group told that it moves on. */
  #isCalled = false
  #isLossUntold = false
  /** Something was told of this membership. */
  #isTold = false
  #lost: GroupMember | undefined
  #version = 0

  constructor(request: JoinRequest) {
    this.#request = request
  }

  /** The group has taken the member in, and not lost it since. */
  get isIn(): boolean {
    return this.#words !== undefined
  }

  /** What the next answer tells before anything else. */
  get hasLoss(): boolean {
    return this.#isLossUntold
  }

  get standing(): Standing {
    return this.#standing
  }

  /** Grows with everything that an answer would tell. */
  get version(): number {
    return this.#version
  }

  get isRejoinDue(): boolean {
    return this.#hasNews || this.#isCalled
  }

  /** Something waits for a release, of this member or another. */
  get isMoving(): boolean {
    return this.#words?.isMoving ?? false
  }

  /**
   * Where nobody knows who had the new tasks before: the transactional ids of those who may write.
   * Whatever else the app has open is to be fenced. Undefined where there is nothing to look for.
   */
  get known(): readonly string[] | undefined {
    const { isBlind = false, peers = [] } = this.#words ?? {}
    // In a large group only some are told: they look for all.
    return isBlind && this.#held.size > 0 && peers.length > 0 ? peers : undefined
  }

  named(memberId: string): void {
    this.#standing = { ...this.#standing, memberId }
  }

  /** The group moves on: it waits for this member. */
  called(): void {
    if (this.#isCalled) return
    this.#isCalled = true
    this.#version++
  }

  release(tasks: readonly string[]): void {
    for (const task of tasks) {
      if (this.#owned.delete(task)) this.#hasNews = true
    }
    this.#version++
  }

  /** What a join says; what is released from here on is for the next one. */
  speak(): Pick<MemberWords, 'generation' | 'owned' | 'peers'> {
    this.#hasNews = false
    this.#isCalled = false
    return {
      generation: this.#words === undefined ? 0 : this.#standing.generation,
      owned: new Map([...this.#owned, ...this.#held]),
      peers: this.#words?.peers ?? []
    }
  }

  /** The next generation has begun; answers whom to fence before `begin`. */
  adopt(generation: number, words: GivenWords): readonly string[] {
    const before = this.#words
    this.#standing = { ...this.#standing, generation }
    this.#words = words
    const wanted = new Set(words.wanted)
    const owned = new Map<string, number>()
    for (const [task, epoch] of words.owned) {
      if (this.#owned.get(task) === epoch) owned.set(task, epoch)
      else if (this.#held.get(task) === epoch && wanted.has(task)) continue
      else if (wanted.has(task) && (epoch === words.generation || before === undefined)) {
        this.#held.set(task, epoch)
      } else this.#hasNews = true
    }
    for (const task of this.#held.keys()) if (!words.owned.has(task)) this.#held.delete(task)
    this.#owned = owned
    this.#version++
    return this.#held.size === 0 ? [] : words.fence
  }

  /** Whoever had the new tasks before can no longer write. */
  begin(): void {
    if (this.#held.size === 0) return
    this.#owned = new Map([...this.#owned, ...this.#held])
    this.#held.clear()
    this.#version++
  }

  /** The group goes on without this member: nothing is its own any more. */
  lose(options: { readonly keepsName: boolean }): void {
    if (this.#words !== undefined) {
      this.#lost = this.#member()
      this.#isLossUntold = true
    }
    this.#standing = options.keepsName ? { ...this.#standing, generation: 0 } : nowhere
    this.#words = undefined
    this.#isTold = false
    this.#owned.clear()
    this.#held.clear()
    this.#hasNews = false
    this.#isCalled = false
    this.#version++
  }

  /** Tells a loss first, and alone: what was owned has to be dropped before anything new. */
  answer(): BeatAnswer {
    if (this.#isLossUntold) {
      this.#isLossUntold = false
      this.#version++
      return { owned: [], revoked: [], isLost: true, view: emptyView, member: this.#lost }
    }
    if (this.#words === undefined) {
      return { owned: [], revoked: [], isLost: false, view: emptyView, isPending: true }
    }
    const { isRejoinDue } = this
    // Who has just come and waits for a fence has no answer yet, and is not done with its start.
    if (!this.#isTold && this.#held.size > 0) {
      return {
        owned: [],
        revoked: [],
        isLost: false,
        view: emptyView,
        isPending: true,
        isRejoinDue
      }
    }
    this.#isTold = true
    const wanted = new Set(this.#words.wanted)
    return {
      owned: [...this.#owned].map(([task, epoch]) => ({ task, epoch })),
      revoked: [...this.#owned.keys()].filter((task) => !wanted.has(task)),
      isLost: false,
      view: this.#view(this.#words),
      member: this.#member(),
      isRejoinDue
    }
  }

  #member(): GroupMember {
    return { ...this.#standing, instanceId: this.#request.instanceId }
  }

  #view({ members, unowned }: GivenWords): GroupView {
    const { instanceId, memberId, url } = this.#request
    return {
      generation: this.#standing.generation,
      members: members.map((one) => {
        // After a restart the group still shows a static member as it was before.
        const isSelf = instanceId !== undefined && one.instanceId === instanceId
        const { id, tasks } = one
        return isSelf ? { memberId, url, tasks } : { memberId: id, url: one.url, tasks }
      }),
      unowned
    }
  }
}
