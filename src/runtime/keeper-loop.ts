// Keeps a member in its group: heartbeats, and what they answer. Runs in the keeper thread, or in
// the worker's own loop where the log lives in this process.
import { hasCode } from '../core/errors.ts'
import { type Clock, pause } from '../port/clock.ts'
import type { BeatAnswer, Coordinator, GroupMember, JoinRequest } from '../port/coordinator.ts'
import type { CommitLease } from './commit-lease.ts'

export interface KeeperLoopParts {
  readonly coordinator: Coordinator
  readonly clock: Clock
  readonly request: JoinRequest
  readonly lease: CommitLease
  /** How long a commit may hold up a join; then the join goes on without it. */
  readonly leaseMsMax: number
  /** Called when an answer differs from the one before. `membership` numbers whose answer it is. */
  readonly onAnswer: (answer: BeatAnswer, membership: number) => void
  /** After failures the log has answered again, whatever it said. */
  readonly onHeard: () => void
  /** A beat failed; it is tried again at the next interval. */
  readonly onError: (error: unknown) => void
  /** The group has no place for this member, however often it asks. */
  readonly onRefused: (error: unknown) => void
}

/** Between two tries of what failed; never longer than a heartbeat. */
const retryMs = 100

interface Release {
  readonly tasks: readonly string[]
  readonly done: () => void
}

export class KeeperLoop {
  readonly #parts: KeeperLoopParts
  #releases: Release[] = []
  #isStopped = false
  #wake: () => void = () => undefined
  #last = ''
  #isAway = false
  #member = ''
  #membership = 0
  #join: 'none' | 'under way' | 'ended' = 'none'
  #running: Promise<void> = Promise.resolve()
  #isSettled = false

  constructor(parts: KeeperLoopParts) {
    this.#parts = parts
  }

  /** The group has said what is the member's, and waits for nothing of it. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Joins the group; then beats until `leave`. */
  async start(): Promise<void> {
    await this.#parts.coordinator.join(this.#parts.request)
    this.#running = this.#run()
  }

  /** Gives tasks up before the next beat. */
  release(tasks: readonly string[]): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      this.#releases.push({ tasks, done: resolve })
      this.#wake()
    })
  }

  async leave(): Promise<void> {
    this.#isStopped = true
    this.#wake()
    await this.#running
    await this.#parts.coordinator.leave()
    await this.#parts.coordinator.close()
  }

  async #run(): Promise<void> {
    const { coordinator } = this.#parts
    while (!this.#isStopped) {
      const hasJoined = this.#join === 'ended'
      try {
        await this.#releaseAll()
        this.#heed(await coordinator.beat(), hasJoined)
      } catch (error) {
        if (isRefusal(error)) return this.#giveUp(error)
        this.#failed(error)
        // A log that refuses at once must not be asked without end.
        await this.#rest()
        continue
      }
      if (this.#isStopped || this.#releases.length > 0 || this.#join === 'ended') continue
      await this.#wait()
    }
    this.#end()
  }

  #end(): void {
    for (const { done } of this.#releases.splice(0)) done()
    this.#endJoin()
  }

  #giveUp(error: unknown): void {
    this.#end()
    this.#parts.onRefused(error)
  }

  #heed(answer: BeatAnswer, hasJoined: boolean): void {
    if (hasJoined) this.#last = ''
    // That it is lost a member may know by its clock alone.
    if (this.#isAway && !answer.isLost) this.#back()
    this.#publish(answer)
    // Only now: a commit that begins must find out that there is something newer to be told.
    if (hasJoined) this.#endJoin()
    if (answer.isRejoinDue === true && this.#join === 'none') void this.#rejoin()
  }

  #failed(error: unknown): void {
    this.#isAway = true
    this.#parts.onError(error)
  }

  #back(): void {
    this.#isAway = false
    this.#parts.onHeard()
  }

  #endJoin(): void {
    this.#join = 'none'
    this.#parts.lease.endJoin()
  }

  // Beside the beats: the group answers a join only when all of its members have joined.
  async #rejoin(): Promise<void> {
    const { coordinator, lease, leaseMsMax } = this.#parts
    this.#join = 'under way'
    await lease.beginJoin(leaseMsMax)
    try {
      const rejoined = this.#isStopped ? undefined : coordinator.rejoin?.()
      lease.waitForOthers()
      await rejoined
    } catch (error) {
      // What it came to is what the next beat says.
      if (!this.#isStopped) this.#failed(error)
    }
    this.#join = 'ended'
    this.#wake()
  }

  async #releaseAll(): Promise<void> {
    while (this.#releases.length > 0) {
      const release = this.#releases[0] as Release
      await this.#parts.coordinator.release(release.tasks)
      this.#releases.shift()
      release.done()
      // What was said about these tasks is over: the next answer must be told in any case.
      this.#last = ''
    }
  }

  #rest(): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    const { clock, request } = this.#parts
    const woken = new AbortController()
    this.#wake = () => {
      if (this.#isStopped) woken.abort()
    }
    return pause(clock, Math.min(request.heartbeatMs, retryMs), woken.signal)
  }

  // `changed` answers within one heartbeat whatever happens, so no wait is left behind. A log that
  // cannot be asked is no reason to stop beating.
  #wait(): Promise<void> {
    const { clock, coordinator, request } = this.#parts
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    const changed = coordinator.changed(request.heartbeatMs).catch((error: unknown) => {
      this.#failed(error)
      return pause(clock, request.heartbeatMs)
    })
    return Promise.race([changed, woken])
  }

  #publish({ heardMs, ...answer }: BeatAnswer): void {
    // A loss before anything that comes after it, whatever thread reads it when.
    if (answer.isLost) this.#parts.lease.lose()
    this.#isSettled =
      answer.isPending !== true && answer.isRejoinDue !== true && answer.revoked.length === 0
    if (answer.isPending === true) return
    if (heardMs !== undefined) this.#parts.lease.heard(heardMs)
    const text = JSON.stringify(answer)
    if (text === this.#last && !answer.isLost) return
    this.#last = text
    this.#parts.onAnswer(answer, this.#membershipOf(answer))
  }

  #membershipOf({ isLost, member }: BeatAnswer): number {
    const text = textOf(member)
    if (member !== undefined && (isLost || text !== this.#member)) {
      this.#member = text
      this.#membership = this.#parts.lease.renew()
    }
    return this.#membership
  }
}

function textOf(member: GroupMember | undefined): string {
  return member === undefined ? '' : `${member.memberId} ${member.generation}`
}

function isRefusal(error: unknown): boolean {
  return (
    hasCode(error, 'TAILRACE_TRANSPORT_FOREIGN_GROUP') ||
    hasCode(error, 'TAILRACE_TRANSPORT_DUPLICATE_INSTANCE') ||
    hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN')
  )
}
