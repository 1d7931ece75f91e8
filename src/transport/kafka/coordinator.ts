// Membership in a Kafka group by its classic protocol. Beats ask the broker and answer from what is
// known; a round, in which the group moves on, runs beside them and may last as long as the slowest
// member takes to join.

import { brokenInvariant, TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import type { BeatAnswer, Coordinator, JoinRequest } from '../../port/coordinator.ts'
import type { Cluster } from './cluster.ts'
import { groupCodes, isLoss, refusalOf } from './group-errors.ts'
import { fenceProducers, findStrangers } from './group-fence.ts'
import { GroupHolding } from './group-holding.ts'
import { runRound } from './group-round.ts'
import { evictMember, type GroupWire, KafkaGroupWire } from './group-wire.ts'
import { failure, KafkaFailure, kafka, toTailraceError } from './protocol-failure.ts'

export interface CoordinatorParts {
  readonly clock: Clock
  readonly wire: (request: JoinRequest) => GroupWire
  /** Producers of the app with an open transaction that are not among the known ones. */
  readonly strangers: (
    request: JoinRequest,
    known: readonly string[],
    signal: AbortSignal
  ) => Promise<readonly string[]>
  /** Resolves when these producers can write no more. */
  readonly fence: (transactionalIds: readonly string[], signal: AbortSignal) => Promise<void>
  /** Takes a static member out of a group; answers the code of Kafka. */
  readonly evict: (group: string, instanceId: string) => Promise<number>
  readonly close: () => Promise<void>
}

/** By the connections of a cluster of its own, which it closes. */
export function kafkaCoordinator(cluster: Cluster): KafkaCoordinator {
  return new KafkaCoordinator({
    clock: cluster.clock,
    wire: (request) => new KafkaGroupWire(cluster, request),
    strangers: (request, known, signal) => findStrangers({ cluster, request, known, signal }),
    fence: (ids, signal) => fenceProducers(ids, cluster, signal),
    evict: (group, instanceId) => evictMember(cluster, { group, instanceId }),
    close: () => cluster.close()
  })
}

/** While something waits for a release, the next generation is near. */
const movingBeatMs = { soon: 20, later: 100 }
const soonMs = 1_000
/** After a beat that failed; the one that asks next is not answered before. */
const retryMs = { first: 100, max: 1_000 }
const leaveMsMax = 5_000
const joinMsMax = 10_000
/** Trouble that is over by then is not told. */
const passingMs = 1_500

/** What belongs to one membership, from join to leave. */
interface Membership {
  readonly request: JoinRequest
  readonly wire: GroupWire
  readonly holding: GroupHolding
  readonly end: AbortController
}

export class KafkaCoordinator implements Coordinator {
  readonly #parts: CoordinatorParts
  readonly #waiting = new Set<() => void>()
  #membership: Membership | undefined
  #round: Promise<void> | undefined
  #beating: Promise<void> | undefined
  #reaching: Promise<void> | undefined
  #fencing: Promise<unknown> | undefined
  /** On the monotonic clock: when the last question was sent that the group answered well. */
  #heardMs = 0
  #adoptedMs = 0
  #seenVersion = -1
  #trouble: KafkaFailure | undefined
  #troubledSinceMs: number | undefined
  #retry: { readonly atMs: number; readonly delayMs: number } | undefined
  #refusal: TailraceError | undefined
  #isClosed = false

  constructor(parts: CoordinatorParts) {
    this.#parts = parts
  }

  async join(request: JoinRequest): Promise<void> {
    this.#checkOpen('group.join')
    const holding = new GroupHolding(request)
    const end = new AbortController()
    this.#membership = { request, wire: this.#parts.wire(request), holding, end }
    const named = Promise.withResolvers<void>()
    // A static member is taken in by its first request, which may wait for all the others.
    if (request.instanceId !== undefined) named.resolve()
    const round = this.#startRound(this.#membership, named.resolve)
    // A group that cannot be asked for longer is what the beats say.
    const limit = new AbortController()
    await Promise.race([named.promise, round, pause(this.#parts.clock, joinMsMax, limit.signal)])
    limit.abort()
    if (this.#refusal !== undefined) throw this.#refusal
  }

  async beat(): Promise<BeatAnswer> {
    const membership = this.#open('group.beat')
    this.#loseByClock(membership)
    // While there is trouble, every beat says so: no answer from memory, and none before a new try.
    if (this.#trouble !== undefined) await this.#wait(retryMs.max)
    if (this.#round !== undefined && this.#trouble !== undefined) await this.#reach(membership)
    if (this.#round === undefined && this.#mayAsk()) await this.#ask(membership)
    const { holding } = this.#open('group.beat')
    if (this.#refusal !== undefined) throw this.#refusal
    if (!holding.hasLoss) this.#throwTrouble(membership)
    this.#seenVersion = holding.version
    return { ...holding.answer(), heardMs: this.#heardMs }
  }

  async release(tasks: readonly string[]): Promise<void> {
    this.#open('group.release').holding.release(tasks)
    this.#raise()
  }

  async rejoin(): Promise<void> {
    const membership = this.#open('group.rejoin')
    this.#loseByClock(membership)
    await (this.#round ?? this.#startRound(membership))
  }

  async changed(waitMaxMs: number): Promise<void> {
    const membership = this.#open('group.changed')
    const { clock } = this.#parts
    const { holding, request } = membership
    const until = clock.monotonic() + waitMaxMs
    while (!membership.end.signal.aborted && !this.#isClosed) {
      const leftMs = until - clock.monotonic()
      if (leftMs <= 0 || holding.version !== this.#seenVersion) return
      if (this.#refusal !== undefined || this.#trouble !== undefined) return
      await this.#wait(Math.min(leftMs, this.#intervalMs(membership, request.heartbeatMs)))
      if (until - clock.monotonic() <= 0) return
      if (this.#round === undefined && this.#mayAsk()) await this.#ask(membership)
    }
  }

  /** A static member stays: it may come back. Whoever takes it out for good calls `evict`. */
  async leave(): Promise<void> {
    const membership = this.#membership
    if (membership === undefined || this.#isClosed) return
    this.#end(membership)
    const { holding, request, wire } = membership
    const { memberId } = holding.standing
    if (request.instanceId !== undefined || memberId === '') return
    // The group finds out by the session where it cannot be told.
    const left = wire.leave({ group: request.group, instanceId: undefined, memberId })
    const limit = new AbortController()
    await Promise.race([
      left.then(ignore, ignore),
      pause(this.#parts.clock, leaveMsMax, limit.signal)
    ])
    limit.abort()
  }

  async evict(group: string, instanceId: string): Promise<boolean> {
    this.#checkOpen('group.evict')
    const code = await this.#parts.evict(group, instanceId)
    if (code === groupCodes.unknownMember) return false
    if (code === kafka.none) return true
    throw toTailraceError(failure(code, `group ${JSON.stringify(group)}`), 'nobody was taken out')
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#membership !== undefined) this.#end(this.#membership)
    await this.#parts.close()
  }

  #end(membership: Membership): void {
    membership.end.abort()
    this.#membership = undefined
    this.#raise()
  }

  #startRound(membership: Membership, onNamed: () => void = ignore): Promise<void> {
    const round = this.#runRound(membership, onNamed).finally(() => {
      if (this.#round === round) this.#round = undefined
      this.#raise()
    })
    this.#round = round
    return round
  }

  async #runRound(membership: Membership, onNamed: () => void): Promise<void> {
    const { end, holding, request, wire } = membership
    const { clock } = this.#parts
    const { signal } = end
    try {
      const onTrouble = (trouble: KafkaFailure): void => this.#note(trouble)
      const fence = await runRound({ request, wire, holding, clock, signal, onNamed, onTrouble })
      if (fence === undefined) return
      this.#heardMs = clock.monotonic()
      this.#adoptedMs = this.#heardMs
      this.#heard()
      this.#begin(fence, membership)
    } catch (error) {
      if (signal.aborted) return
      this.#refusal = toTailraceError(error, 'the worker cannot join its group')
    }
  }

  // What stays goes on meanwhile, so a fence that takes long holds up only what is new.
  #begin(fence: readonly string[], membership: Membership): void {
    const { end, holding } = membership
    if (fence.length === 0 && holding.known === undefined && this.#fencing === undefined) {
      holding.begin()
      return
    }
    const fencing = Promise.all([this.#fencing, this.#fence(fence, membership)])
    this.#fencing = fencing
    void fencing.then(() => {
      if (this.#fencing !== fencing) return
      this.#fencing = undefined
      if (!end.signal.aborted) holding.begin()
      this.#raise()
    }, ignore)
  }

  async #fence(ids: readonly string[], { end, holding, request }: Membership): Promise<void> {
    const { known } = holding
    const { fence, strangers } = this.#parts
    const others = known === undefined ? [] : await strangers(request, known, end.signal)
    await fence([...ids, ...others], end.signal)
  }

  /** Asks the broker; what it cannot answer soon is answered to the next beat. */
  async #ask(membership: Membership): Promise<void> {
    const { heartbeatMs } = membership.request
    this.#beating ??= this.#heartbeat(membership).finally(() => {
      this.#beating = undefined
    })
    const limit = new AbortController()
    await Promise.race([this.#beating, pause(this.#parts.clock, heartbeatMs, limit.signal)])
    limit.abort()
  }

  // A join is answered when all others have joined: that the broker is back shows elsewhere.
  async #reach({ request, wire }: Membership): Promise<void> {
    const { group, heartbeatMs } = request
    this.#reaching ??= wire
      .reach(group)
      .then(() => this.#heard())
      .catch(throwUnlessFailure)
      .finally(() => {
        this.#reaching = undefined
      })
    const limit = new AbortController()
    await Promise.race([this.#reaching, pause(this.#parts.clock, heartbeatMs, limit.signal)])
    limit.abort()
  }

  async #heartbeat(membership: Membership): Promise<void> {
    const { holding, request, wire } = membership
    const { group, instanceId } = request
    const { generation, memberId } = holding.standing
    const sentMs = this.#parts.clock.monotonic()
    try {
      const code = await wire.heartbeat({ group, instanceId, memberId, generation })
      // A round that began meanwhile knows better.
      if (this.#round === undefined && this.#membership === membership) {
        this.#heed(code, membership, sentMs)
      }
    } catch (error) {
      throwUnlessFailure(error)
      this.#failed(error)
    }
  }

  #heed(code: number, membership: Membership, sentMs: number): void {
    const { holding, request } = membership
    if (code === kafka.none || code === groupCodes.rebalanceInProgress) {
      this.#heardMs = sentMs
      this.#heard()
      if (code !== kafka.none) holding.called()
    } else if (isLoss(code)) {
      this.#lose(membership, code === groupCodes.illegalGeneration)
    } else {
      this.#refusal = refusalOf(code, request)
      if (this.#refusal === undefined) this.#failed(failure(code, 'a heartbeat'))
    }
    this.#raise()
  }

  #failed(trouble: KafkaFailure): void {
    const delayMs = Math.min(retryMs.max, (this.#retry?.delayMs ?? retryMs.first / 2) * 2)
    this.#retry = { delayMs, atMs: this.#parts.clock.monotonic() + delayMs }
    this.#note(trouble)
  }

  // A coordinator that moves, or is made for the first group of all, is found again soon.
  #note(trouble: KafkaFailure): void {
    const now = this.#parts.clock.monotonic()
    this.#troubledSinceMs ??= now
    if (now - this.#troubledSinceMs < passingMs) return
    this.#trouble = trouble
    this.#raise()
  }

  #heard(): void {
    this.#retry = undefined
    this.#troubledSinceMs = undefined
    this.#trouble = undefined
  }

  #mayAsk(): boolean {
    return this.#retry === undefined || this.#parts.clock.monotonic() >= this.#retry.atMs
  }

  // Whatever was owned may be another's by now, and this side need not hear so to know it.
  #loseByClock(membership: Membership): void {
    const { holding, request } = membership
    if (this.#round !== undefined || !holding.isIn) return
    const silentMs = this.#parts.clock.monotonic() - this.#heardMs
    if (silentMs > request.sessionTimeoutMs) this.#lose(membership, true)
  }

  #lose(membership: Membership, keepsName: boolean): void {
    membership.holding.lose({ keepsName })
    void this.#startRound(membership)
  }

  #intervalMs({ holding, request }: Membership, heartbeatMs: number): number {
    if (this.#round !== undefined || holding.isRejoinDue || !holding.isMoving) return heartbeatMs
    const sinceMs = this.#parts.clock.monotonic() - this.#adoptedMs
    const fastMs = sinceMs < soonMs ? movingBeatMs.soon : movingBeatMs.later
    return Math.min(fastMs, request.heartbeatMs)
  }

  async #wait(waitMs: number): Promise<void> {
    const woken = new AbortController()
    const wake = (): void => woken.abort()
    this.#waiting.add(wake)
    await pause(this.#parts.clock, waitMs, woken.signal)
    this.#waiting.delete(wake)
  }

  #raise(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  #throwTrouble({ request }: Membership): void {
    const trouble = this.#trouble
    if (trouble === undefined) return
    throw toTailraceError(trouble, `group ${JSON.stringify(request.group)} cannot be asked`)
  }

  #open(operation: string): Membership {
    this.#checkOpen(operation)
    if (this.#membership === undefined) {
      throw brokenInvariant(`${operation} before join or after leave`)
    }
    return this.#membership
  }

  #checkOpen(operation: string): void {
    if (!this.#isClosed) return
    throw new TailraceError('TAILRACE_TRANSPORT_CLOSED', `${operation} after the log was closed`)
  }
}

function throwUnlessFailure(error: unknown): asserts error is KafkaFailure {
  if (!(error instanceof KafkaFailure)) throw error
}

function ignore(): void {
  return undefined
}
